// What Winograd's convolution, its weights and its filter gradient have in common: how maps are cut into tiles, and
// where the transformed numbers lie.
#pragma once

#include "gemm_grid.h"
#include "gemm_pack.h"
#include "winograd_transform.h"

namespace cortado::CORTADO_ISA {
namespace {

/// f.operator()<Tile, Taps>() for tiles of 7 pixels with 3 to 5 taps, and of 8 with 5.
template <class F>
CORTADO_INLINE void with_tile(int64_t tile, int64_t taps, const F& f) {
  if (tile == 8) return f.template operator()<8, 5>();
  if (taps == 3) return f.template operator()<7, 3>();
  if (taps == 4) return f.template operator()<7, 4>();
  f.template operator()<7, 5>();
}

/// Distance between the matrices of two points: whole cache lines, an odd number of them, so that the places of a
/// tile do not fight for the same few places of the caches.
CORTADO_INLINE int64_t point_stride(int64_t floats) { return (divide_up(floats, 16) | 1) * 16; }

/// Maps of height x width, (images, groups * channels, height, width).
struct Maps {
  int64_t groups, channels, height, width;

  CORTADO_INLINE int64_t plane() const { return height * width; }
  CORTADO_INLINE Maps of_groups(int64_t count) const { return {count, channels, height, width}; }
  CORTADO_INLINE int64_t vectors() const { return divide_up(channels, kLanes); }
  /// Where the planes of vector `vector` of a group begin, and how many there are.
  CORTADO_INLINE int64_t at(int64_t image, int64_t group, int64_t vector) const {
    return ((image * groups + group) * channels + vector * kLanes) * plane();
  }
  CORTADO_INLINE int64_t lanes(int64_t vector) const { return smaller(kLanes, channels - vector * kLanes); }
};

/// The tiles of a batch: bands, each a row of tiles of one image; a block is a range of bands.
struct Tiling {
  int64_t tile, size, down, across;  // pixels and outputs of a tile each way; tiles of an image

  CORTADO_INLINE Tiling(int64_t tile, int64_t taps, int64_t height, int64_t width)
      : tile(tile), size(tile + 1 - taps), down(divide_up(height, size)), across(divide_up(width, size)) {}

  CORTADO_INLINE int64_t points() const { return points_of(tile); }
  CORTADO_INLINE int64_t tiles() const { return down * across; }
  /// How many of these bands are taken at once, if blocks are to be even and of about `tiles` tiles.
  CORTADO_INLINE int64_t block(int64_t bands, int64_t tiles) const {
    return divide_up(bands, divide_up(bands * across, tiles));
  }
};

/// A block's source, transformed: (point, group, vector of channels, tile, lane).
struct SourceRoom {
  Maps maps;
  int64_t tiles;

  CORTADO_INLINE int64_t stride() const { return point_stride(maps.groups * group()); }
  CORTADO_INLINE int64_t group() const { return maps.vectors() * tiles * kLanes; }
  CORTADO_INLINE int64_t size(int64_t points) const { return points * stride(); }
  CORTADO_INLINE int64_t at_tile(int64_t tile) const { return tile * kLanes; }
  CORTADO_INLINE int64_t at_channel(int64_t c) const { return c / kLanes * tiles * kLanes + c % kLanes; }
};

/// A block's features, transformed: (point, group, panel, tile, column of the panel).
struct FeatureRoom {
  Maps maps;
  Panels panels;
  int64_t tiles;

  CORTADO_INLINE FeatureRoom(const Maps& maps, int64_t tiles) : maps(maps), panels(maps.channels), tiles(tiles) {}
  CORTADO_INLINE int64_t stride() const { return point_stride(maps.groups * group()); }
  CORTADO_INLINE int64_t group() const { return panels.padded() * tiles; }
  CORTADO_INLINE int64_t size(int64_t points) const { return points * stride(); }
  /// Panel that holds a vector.
  CORTADO_INLINE int64_t panel_of(int64_t vector) const {
    int64_t panel = vector / kTileVectors;
    while (panels.begin(panel + 1) <= vector * kLanes) ++panel;
    return panel;
  }
  CORTADO_INLINE int64_t at(int64_t group, int64_t vector, int64_t tile) const {
    const int64_t panel = panel_of(vector), begin = panels.begin(panel);
    return group * this->group() + begin * tiles + tile * panels.width(panel) + vector * kLanes - begin;
  }
  CORTADO_INLINE int64_t tile_stride(int64_t vector) const { return panels.width(panel_of(vector)); }
};

/// Filters, transformed: (point, group, panel of output planes, source channel, column of the panel).
struct FilterRoom {
  int64_t groups, channels;
  Panels panels;

  CORTADO_INLINE FilterRoom(int64_t groups, int64_t channels, int64_t planes)
      : groups(groups), channels(channels), panels(planes) {}
  CORTADO_INLINE int64_t stride() const { return point_stride(groups * group()); }
  CORTADO_INLINE int64_t group() const { return panels.padded() * channels; }
  CORTADO_INLINE int64_t size(int64_t points) const { return points * stride(); }
};

/// The product of one point, C (+)= A B, tile by tile; row(i) is where row i of A begins. The panel that comes after
/// B, `floats` of it from `next` on, is called to the second-level cache meanwhile: a line with each addend or, where
/// few rows leave little time, a row of B. Tiles of 8 pixels lose most where sums are long: theirs are of kShort
/// addends at most, two at a time.
template <int Pixels, class Row>
CORTADO_INLINE void multiply_point(int64_t rows, int64_t width, const Tile& whole, const float* next, int64_t floats,
                                   const Row& row) {
  constexpr int kSums = Pixels == 8 ? 2 : 1, kShort = 32, kLine = 16;
  const int64_t steps = kSums == 1 ? 1 : divide_up(whole.depth, kSums * kShort);
  const bool fetch_row = kSums == 1 && rows < kTileVectors * kTileRows;
  const int64_t fetched = fetch_row ? width : kLine;
  Tile tile = whole;
  tile.b.ahead_stride = fetched;
  for (int64_t first = 0, line = 0; first < rows;) {
    const int height = tile_height<kSums>(rows - first);
    for (int i = 0; i < height; ++i) tile.a.row[i] = row(first + i);
    tile.c.data = whole.c.data + first * whole.c.stride;
    for (int64_t step = 0; step < steps; ++step) {
      const Part depth = part_of(whole.depth, step, steps);
      tile.at = whole.at + depth.begin;
      tile.depth = depth.end - depth.begin;
      tile.b.data = whole.b.data + depth.begin * whole.b.stride;
      tile.b.ahead = line * fetched < floats ? next + line * fetched : nullptr;
      tile.b.ahead_row = fetch_row && tile.b.ahead != nullptr;
      tile.c.add = whole.c.add || step > 0;
      multiply_tile<kSums>(height, width, tile);
      line += tile.depth;
    }
    first += height;
  }
}

/// Copies the rows [top, top + rows) and columns [left, left + columns) of kLanes planes (`lanes` of them exist) into
/// to(row, column, lane); what lies outside the plane is zero.
inline void gather_lanes(const float* planes, const Maps& maps, int64_t lanes, int64_t top, int64_t rows, int64_t left,
                         int64_t columns, float* to) {
  const int64_t first = larger(0, left), last = smaller(maps.width, left + columns);
  for (int64_t row = 0; row < rows; ++row, to += columns * kLanes) {
    const int64_t y = top + row;
    const bool inside = y >= 0 && y < maps.height && first < last;
    const int64_t before = inside ? first - left : columns, after = inside ? last - left : columns;
    for (int64_t x = 0; x < before; ++x) store(to + x * kLanes, zero());
    for (int64_t x = after; x < columns; ++x) store(to + x * kLanes, zero());
    if (!inside) continue;
    each_column(planes + y * maps.width + first, maps.plane(), lanes, last - first,
                [&](int64_t x, int64_t, int64_t, Vf v) { store(to + (before + x) * kLanes, v); });
  }
}

}  // namespace
}  // namespace cortado::CORTADO_ISA
