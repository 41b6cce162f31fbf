// Filters on their way to Winograd's points and, as a gradient, back.
#pragma once

#include "winograd_shape.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Filters (groups * filters, channels, r, r) as a correlation wants them: from the image to the features, or backward
/// with channels and filters exchanged and the taps turned round.
struct WinogradWeights {
  int64_t groups, channels, filters, taps;  // taps: r
  bool backward;

  CORTADO_INLINE FilterRoom room() const {
    return {groups, backward ? filters : channels, backward ? channels : filters};
  }

  void transform(Threads& team, const float* weight, float* to) const {
    if (taps == 3) return transform<3>(team, weight, to);
    transform<5>(team, weight, to);
  }

  /// The reverse for gradients, forward only: dw = G^T du G.
  void gather(Threads& team, const float* from, float* dweight) const {
    if (taps == 3) return gather<3>(team, from, dweight);
    gather<5>(team, from, dweight);
  }

 private:
  static constexpr int64_t kChannels = 16;  // gathered at once

  template <int R>
  void transform(Threads& team, const float* weight, float* to) const {
    const FilterRoom room = this->room();
    const int64_t tap_count = R * R, filter = channels * tap_count;
    const int64_t depth_stride = backward ? filter : tap_count, plane_stride = backward ? tap_count : filter;
    each_vector(team, room, [&](int64_t group, int64_t panel, int64_t plane) {
      const int64_t lanes = smaller(kLanes, room.panels.columns - plane), width = room.panels.width(panel);
      const float* from = weight + group * filters * filter + plane * plane_stride;
      float* place =
          to + group * room.group() + room.panels.begin(panel) * room.channels + plane - room.panels.begin(panel);
      for (int64_t c = 0; c < room.channels; ++c) {
        Vf tap[R * R];
        each_column(from + c * depth_stride, plane_stride, lanes, tap_count,
                    [&](int64_t t, int64_t, int64_t, Vf v) { tap[backward ? tap_count - 1 - t : t] = v; });
        transform_square<AtPoints<R>>([&](int i, int j) { return tap[i * R + j]; },
                                      [&](int i, int j, Vf v) {
                                        store(place + (i * kWinogradTile + j) * room.stride() + c * width,
                                              v * splat(lagrange(i) * lagrange(j)));
                                      });
      }
    });
  }

  template <int R>
  void gather(Threads& team, const float* from, float* dweight) const {
    const FilterRoom room = this->room();
    const int64_t filter = channels * R * R;
    each_vector(team, room, [&](int64_t group, int64_t panel, int64_t plane) {
      const int64_t lanes = smaller(kLanes, room.panels.columns - plane), width = room.panels.width(panel);
      const float* place =
          from + group * room.group() + room.panels.begin(panel) * room.channels + plane - room.panels.begin(panel);
      float stage[kChannels * R * R * kLanes];
      for (int64_t first = 0; first < channels; first += kChannels) {
        const int64_t count = smaller(kChannels, channels - first);
        for (int64_t c = 0; c < count; ++c) {
          transform_square<FromPoints<R>>(
              [&](int i, int j) {
                return load(place + (i * kWinogradTile + j) * room.stride() + (first + c) * width) *
                       splat(lagrange(i) * lagrange(j));
              },
              [&](int i, int j, Vf v) { store(stage + (c * R * R + i * R + j) * kLanes, v); });
        }
        float* to = dweight + (group * filters + plane) * filter + first * R * R;
        each_column(stage, kLanes, count * R * R, lanes,
                    [&](int64_t j, int64_t at, int64_t size, Vf v) { store_part(to + j * filter + at, v, size); });
      }
    });
  }

  /// f(group, panel, first plane) for every vector of planes.
  template <class F>
  static void each_vector(Threads& team, const FilterRoom& room, const F& f) {
    for_slices(team, room.groups * room.panels.vectors, 1, [&](int64_t begin, int64_t end) {
      for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t vector = unit % room.panels.vectors;
        int64_t panel = 0;
        while (room.panels.begin(panel + 1) <= vector * kLanes) ++panel;
        f(unit / room.panels.vectors, panel, vector * kLanes);
      }
    });
  }
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
