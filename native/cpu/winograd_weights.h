// Filters on their way to Winograd's points and, as a gradient, back.
#pragma once

#include "winograd_few.h"
#include "winograd_phases.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Filters (groups * filters, channels, r, r) as a correlation wants them: from the image to the features, or backward
/// with channels and filters exchanged and the taps turned round. With a stride, channels and taps are of the phases,
/// and there is no backward.
struct WinogradWeights {
  int64_t groups, channels, filters, tile;
  Phases phases;
  bool backward;

  CORTADO_INLINE FilterRoom room() const {
    return {groups, backward ? filters : channels, backward ? channels : filters};
  }
  CORTADO_INLINE int64_t size() const { return room().size(points_of(tile)); }
  CORTADO_INLINE FewFilters few() const {
    const FilterRoom room = this->room();
    return {room.groups, room.channels, room.panels.vectors};
  }
  /// Numbers of a filter, and of a group's filters, as they are learned.
  CORTADO_INLINE int64_t filter() const { return channels / phases.count() * phases.kernel * phases.kernel; }
  CORTADO_INLINE int64_t group() const { return filters * filter(); }

  void transform(Threads& team, const float* weight, float* to) const {
    on_every_thread(team, [&](int thread, int threads) {
      with_tile(tile, phases.taps(), [&]<int Tile, int R>() { transform<Tile, R>(weight, to, thread, threads); });
    });
  }

  /// To FewFilters, for tiles of 7 and 3 taps.
  void transform_few(Threads& team, const float* weight, float* to) const {
    on_every_thread(team, [&](int thread, int threads) {
      constexpr int kTile = FewFilters::kTile, kTaps = FewFilters::kTaps;
      const FewFilters few = this->few();
      each_filter<kTaps>(weight, thread, threads, [&](const Place& at, const Vf(&tap)[kTaps * kTaps]) {
        float* place =
            to + at.group * few.group() + at.plane / kLanes * kTile * few.row() + at.channel * kTaps * kLanes;
        for (int j = 0; j < kTaps; ++j) {
          Vf u[kTile];
          AtPoints<kTile, kTaps>::apply({tap[j], tap[kTaps + j], tap[2 * kTaps + j]}, u);
#pragma GCC unroll 7
          for (int i = 0; i < kTile; ++i) {
            store(place + i * few.row() + j * kLanes, u[i] * splat(static_cast<float>(lagrange<kTile>(i))));
          }
        }
      });
    });
  }

  /// The reverse for gradients, forward only: dw = G^T du G, du the sum of `parts` that lie `distance` apart.
  void gather(const float* from, int64_t parts, int64_t distance, float* dweight, int thread, int threads) const {
    with_tile(tile, phases.taps(),
              [&]<int Tile, int R>() { gather<Tile, R>(from, parts, distance, dweight, thread, threads); });
  }

 private:
  static constexpr int64_t kChannels = 16;  // gathered at once

  /// A vector of planes and a source channel.
  struct Place {
    int64_t group, panel, plane, channel;
  };

  template <int Tile, int R>
  void transform(const float* weight, float* to, int thread, int threads) const {
    const FilterRoom room = this->room();
    each_filter<R>(weight, thread, threads, [&](const Place& at, const Vf(&tap)[R * R]) {
      const int64_t begin = room.panels.begin(at.panel), width = room.panels.width(at.panel);
      float* place = to + at.group * room.group() + begin * room.channels + at.channel * width + at.plane - begin;
      transform_square<AtPoints<Tile, R>>(
          [&](int i, int j) { return tap[i * R + j]; },
          [&](int i, int j, Vf v) { store(place + (i * Tile + j) * room.stride(), v * splat(lagrange<Tile>(i, j))); });
    });
  }

  /// f(place, taps) for every vector of filters that is this thread's.
  template <int R, class F>
  void each_filter(const float* weight, int thread, int threads, const F& f) const {
    const FilterRoom room = this->room();
    const int64_t tap_count = R * R, filter = this->filter();
    const int64_t depth_stride = backward ? filter : tap_count, plane_stride = backward ? tap_count : filter;
    each_vector(room, thread, threads, [&](int64_t group, int64_t panel, int64_t plane) {
      const int64_t lanes = smaller(kLanes, room.panels.columns - plane);
      const float* from = weight + group * filters * filter + plane * plane_stride;
      for (int64_t c = 0; c < room.channels; ++c) {
        Vf tap[R * R];
        if (phases.stride == 1) {
          each_column(from + c * depth_stride, plane_stride, lanes, tap_count,
                      [&](int64_t t, int64_t, int64_t, Vf v) { tap[backward ? tap_count - 1 - t : t] = v; });
        } else {
          for (int64_t t = 0; t < tap_count; ++t) tap[t] = load_column(from, phases.tap(c, t / R, t % R), lanes);
        }
        f(Place{group, panel, plane, c}, tap);
      }
    });
  }

  template <int Tile, int R>
  void gather(const float* from, int64_t parts, int64_t distance, float* dweight, int thread, int threads) const {
    const FilterRoom room = this->room();
    const int64_t filter = this->filter();
    each_vector(room, thread, threads, [&](int64_t group, int64_t panel, int64_t plane) {
      const int64_t lanes = smaller(kLanes, room.panels.columns - plane), width = room.panels.width(panel);
      const float* place =
          from + group * room.group() + room.panels.begin(panel) * room.channels + plane - room.panels.begin(panel);
      float stage[kChannels * R * R * kLanes];
      for (int64_t first = 0; first < channels; first += kChannels) {
        const int64_t count = smaller(kChannels, channels - first);
        for (int64_t c = 0; c < count; ++c) {
          transform_square<FromPoints<Tile, R>>(
              [&](int i, int j) {
                const float* at = place + (i * Tile + j) * room.stride() + (first + c) * width;
                Vf sum = load(at);
                for (int64_t part = 1; part < parts; ++part) sum += load(at + part * distance);
                return sum * splat(lagrange<Tile>(i, j));
              },
              [&](int i, int j, Vf v) { store(stage + (c * R * R + i * R + j) * kLanes, v); });
        }
        float* to = dweight + (group * filters + plane) * filter;
        if (phases.stride == 1) {
          each_column(stage, kLanes, count * R * R, lanes, [&](int64_t j, int64_t at, int64_t size, Vf v) {
            store_part(to + j * filter + first * R * R + at, v, size);
          });
        } else {
          for (int64_t i = 0; i < count * R * R; ++i) {
            const int64_t at = phases.tap(first + i / (R * R), i / R % R, i % R);
            for (int64_t j = 0; at >= 0 && j < lanes; ++j) to[j * filter + at] = stage[i * kLanes + j];
          }
        }
      }
    });
  }

  /// Tap `at` (none if -1) of as many filters as there are lanes.
  CORTADO_INLINE Vf load_column(const float* from, int64_t at, int64_t lanes) const {
    float column[kLanes] = {};
    for (int64_t j = 0; at >= 0 && j < lanes; ++j) column[j] = from[j * filter() + at];
    return load(column);
  }

  /// f(group, panel, first plane) for every vector of planes that is this thread's.
  template <class F>
  static void each_vector(const FilterRoom& room, int thread, int threads, const F& f) {
    const Part part = part_of(room.groups * room.panels.vectors, thread, threads);
    for (int64_t unit = part.begin; unit < part.end; ++unit) {
      const int64_t vector = unit % room.panels.vectors;
      int64_t panel = 0;
      while (room.panels.begin(panel + 1) <= vector * kLanes) ++panel;
      f(unit / room.panels.vectors, panel, vector * kLanes);
    }
  }
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
