// A block's source maps on their way to Winograd's points: what the convolution and the filter gradient share.
#pragma once

#include "winograd_phases.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Transforms bands of tiles of some groups into `to`; threads share out the work by (band, group, vector of
/// channels). The tile of output (y, x) begins at (y * stride - pad_h, x * stride - pad_w) of the source. `stage` holds
/// stage() floats, one thread's own.
struct SourceTransform {
  Maps image;
  Phases phases;
  Maps maps;  // the image's phases
  Tiling tiling;
  int64_t pad_h, pad_w;

  CORTADO_INLINE SourceTransform(const Maps& image, const Phases& phases, const Tiling& tiling, int64_t pad_h,
                                 int64_t pad_w)
      : image(image), phases(phases), maps(image), tiling(tiling), pad_h(pad_h), pad_w(pad_w) {
    maps.channels *= phases.count();
  }

  CORTADO_INLINE int64_t columns() const { return tiling.across * tiling.size + tiling.tile - tiling.size; }
  CORTADO_INLINE int64_t stage() const { return tiling.tile * columns() * kLanes; }

  /// The bands' tiles in `groups`, the first of which is the room's first.
  template <int Tile>
  void run(const float* source, const Part& bands, const Part& groups, const SourceRoom& room, float* to, float* stage,
           int thread, int threads) const {
    const int64_t vectors = (groups.end - groups.begin) * maps.vectors();
    const Part part = part_of((bands.end - bands.begin) * vectors, thread, threads);
    for (int64_t unit = part.begin; unit < part.end; ++unit) {
      const int64_t band = unit / vectors, group = unit % vectors / maps.vectors(), vector = unit % maps.vectors();
      const int64_t n = (bands.begin + band) / tiling.down, row = (bands.begin + band) % tiling.down;
      gather<Tile>(source, n, groups.begin + group, vector, row * tiling.size, stage);
      float* place = to + group * room.group() + room.at_channel(vector * kLanes);
      for (int64_t tile = 0; tile < tiling.across; ++tile) {
        transform<Tile>(stage + tile * tiling.size * kLanes, place + room.at_tile(band * tiling.across + tile),
                        room.stride());
      }
    }
  }

 private:
  template <int Tile>
  CORTADO_INLINE void gather(const float* source, int64_t n, int64_t group, int64_t vector, int64_t top,
                             float* stage) const {
    const int64_t lanes = maps.lanes(vector);
    if (phases.stride == 1) {
      gather_lanes(source + image.at(n, group, vector), image, lanes, top - pad_h, Tile, -pad_w, columns(), stage);
    } else {
      const PhasedImage planes{source + image.at(n, group, 0), image.height, image.width, pad_h, pad_w, phases.stride};
      planes.gather(vector * kLanes, lanes, top, Tile, 0, columns(), stage);
    }
  }

  template <int Tile>
  void transform(const float* from, float* to, int64_t stride) const {
    const int64_t row = columns() * kLanes;
    transform_square<Interpolate<Tile>>([&](int i, int j) { return load(from + i * row + j * kLanes); },
                                        [&](int i, int j, Vf v) { store(to + (i * Tile + j) * stride, v); });
  }
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
