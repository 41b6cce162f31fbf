// A block's source maps on their way to Winograd's points: what the convolution and the filter gradient share.
#pragma once

#include "winograd_shape.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Transforms bands of tiles of some groups into `to`; threads share out the work by (band, group, vector of
/// channels). The tile of output (y, x) begins at (y - pad_h, x - pad_w) of the source. `stage` holds
/// source_stage(tiling) floats, one thread's own.
struct SourceTransform {
  Maps maps;
  Tiling tiling;
  int64_t pad_h, pad_w;

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
      const int64_t image = (bands.begin + band) / tiling.down, row = (bands.begin + band) % tiling.down;
      gather_lanes(source + maps.at(image, groups.begin + group, vector), maps, maps.lanes(vector),
                   row * tiling.size - pad_h, Tile, -pad_w, columns(), stage);
      float* place = to + group * room.group() + room.at_channel(vector * kLanes);
      for (int64_t tile = 0; tile < tiling.across; ++tile) {
        transform<Tile>(stage + tile * tiling.size * kLanes, place + room.at_tile(band * tiling.across + tile),
                        room.stride());
      }
    }
  }

 private:
  template <int Tile>
  void transform(const float* from, float* to, int64_t stride) const {
    const int64_t row = columns() * kLanes;
    transform_square<Interpolate<Tile>>([&](int i, int j) { return load(from + i * row + j * kLanes); },
                                        [&](int i, int j, Vf v) { store(to + (i * Tile + j) * stride, v); });
  }
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
