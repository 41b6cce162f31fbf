// Products of so few tiles that they would wait for their filters. Of a filter's 7 x 7 points only one direction is
// made beforehand, 7 rows of 3 taps, which are 21 numbers instead of 49; a row comes to its points in registers, a pair
// +-p at a time, on its way into the products of up to kPairTiles tiles.
#pragma once

#include "winograd_shape.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Tiles whose products at two points are added up in registers, beside both points' filters: 2 x 9 of 32 or 2 x 5
/// of 16.
constexpr int kPairTiles = kRegisters > 16 ? 9 : 5;

/// Filters of 3 x 3 taps at the 7 points of their columns: (group, vector of output planes, row of points, source
/// channel, tap of the row, lane), Lagrange's denominators of the columns included.
struct FewFilters {
  static constexpr int kTile = 7, kTaps = 3;
  int64_t groups, channels, vectors;

  CORTADO_INLINE int64_t row() const { return channels * kTaps * kLanes; }
  CORTADO_INLINE int64_t group() const { return vectors * kTile * row(); }
  CORTADO_INLINE int64_t size() const { return groups * group(); }
};

/// One row of points of a vector of planes, product(point, tile) = sum over channels of source(point, tile, channel) *
/// filter(point, channel). A tile's source lies kLanes from the next one's; at[c] is where channel c is in it. The row
/// of filters that follows is called to the second-level cache meanwhile.
struct FewRow {
  const float* source;
  int64_t source_stride;  // between points
  const int64_t* at;
  int64_t channels;
  const float* filters;
  float* product;
  int64_t product_stride, tile_stride;  // between points, and between tiles
};

template <int Tiles>
__attribute__((noinline)) void multiply_pair(const FewRow& row, int pair, float point, float plus, float minus) {
  Vf sum[Tiles] = {}, other[Tiles] = {};
  const float *source = row.source + 2 * pair * row.source_stride, *mirrored = source + row.source_stride;
  const float *taps = row.filters, *ahead = taps + (FewFilters::kTaps + pair) * row.channels * kLanes;
  const int64_t *at = row.at, *const end = at + row.channels;
  const Vf p = splat(point), square = p * p;
  for (; at != end; ++at, taps += FewFilters::kTaps * kLanes, ahead += kLanes) {
    __builtin_prefetch(ahead, 0, 2);
    const Vf even = fma(square, load(taps + 2 * kLanes), load(taps)), odd = load(taps + kLanes);
    const Vf filter = fma(p, odd, even), opposite = fma(-p, odd, even);
    const float *one = source + *at, *two = mirrored + *at;
#pragma GCC unroll 9
    for (int i = 0; i < Tiles; ++i) sum[i] = fma(splat(one[i * kLanes]), filter, sum[i]);
#pragma GCC unroll 9
    for (int i = 0; i < Tiles; ++i) other[i] = fma(splat(two[i * kLanes]), opposite, other[i]);
  }
  float *to = row.product + 2 * pair * row.product_stride, *beside = to + row.product_stride;
#pragma GCC unroll 9
  for (int i = 0; i < Tiles; ++i) {
    store(to + i * row.tile_stride, sum[i] * splat(plus));
    store(beside + i * row.tile_stride, other[i] * splat(minus));
  }
}

/// At infinity, where the filter is its last tap.
template <int Tiles>
__attribute__((noinline)) void multiply_last(const FewRow& row) {
  Vf sum[Tiles] = {};
  const float* source = row.source + (FewFilters::kTile - 1) * row.source_stride;
  const float* tap = row.filters + (FewFilters::kTaps - 1) * kLanes;
  for (int64_t c = 0; c < row.channels; ++c, tap += FewFilters::kTaps * kLanes) {
    const Vf filter = load(tap);
    const float* one = source + row.at[c];
#pragma GCC unroll 9
    for (int i = 0; i < Tiles; ++i) sum[i] = fma(splat(one[i * kLanes]), filter, sum[i]);
  }
  float* to = row.product + (FewFilters::kTile - 1) * row.product_stride;
#pragma GCC unroll 9
  for (int i = 0; i < Tiles; ++i) store(to + i * row.tile_stride, sum[i]);
}

/// `tiles` of them, kPairTiles at most.
template <int Tiles = kPairTiles>
CORTADO_INLINE void multiply_row(int64_t tiles, const FewRow& row) {
  if constexpr (Tiles > 1) {
    if (tiles < Tiles) return multiply_row<Tiles - 1>(tiles, row);
  }
  constexpr int kAll = FewFilters::kTile;
  const auto scale = [](int at) __attribute__((always_inline)) { return static_cast<float>(lagrange<kAll>(at)); };
  multiply_pair<Tiles>(row, 0, point_raised<kAll, 0>(1), scale(0), scale(1));
  multiply_pair<Tiles>(row, 1, point_raised<kAll, 1>(1), scale(2), scale(3));
  multiply_pair<Tiles>(row, 2, point_raised<kAll, 2>(1), scale(4), scale(5));
  multiply_last<Tiles>(row);
}

}  // namespace
}  // namespace cortado::CORTADO_ISA
