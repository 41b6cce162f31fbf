// The inner loop of products in bfloat16: gemm_tile.h's, with two numbers of the depth at a time.
#pragma once

#include "gemm_grid.h"
#include "gemm_pack.h"
#include "simd_bf16.h"

namespace cortado::CORTADO_ISA {
namespace {

/// A place of 32 bits that holds two numbers of bfloat16. Packing moves it as the float that it is not.
using Pair = float;

/// Cache lines to fetch while a tile is computed, one for every pair of the depth: rows of kRowLines lines.
struct Ahead {
  static constexpr int kRowLines = 32;
  const void* from = nullptr;
  int64_t stride = 0;  // bytes from row to row
};

/// Tile (gemm_tile.h) of pairs: A(i, k) is the pair at row[i] + at[k], B(k, j) the pair at b.data[k * b.stride + j].
struct PairTile {
  struct {
    const uint16_t* row[kTileRows];
  } a;
  const int64_t* at;
  int64_t depth;  // in pairs
  TilePanel b;
  TileOut c;
  Ahead ahead;
};

/// C(i, j) (+)= sum over k < depth of the products of A's and B's pairs, for R rows and V vectors of columns.
template <int R, int V, bool Fetch>
__attribute__((noinline)) void multiply_pairs(const PairTile& tile) {
  Vf sum[R][V] = {};
  const uint16_t* row[R];
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) row[i] = tile.a.row[i];
  const Pair* right = tile.b.data;
  const char* line = static_cast<const char*>(tile.ahead.from);
  const int64_t depth = tile.depth, next = tile.b.stride, *at = tile.at;
  for (int64_t k = 0; k < depth; ++k, right += next) {
    if constexpr (Fetch) prefetch(line + k / Ahead::kRowLines * tile.ahead.stride + k % Ahead::kRowLines * 64);
    const int64_t offset = at[k];
    Vi panel[V];
#pragma GCC unroll 3
    for (int j = 0; j < V; ++j) panel[j] = bits(load(right + j * kLanes));
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      const Vi left = splat_pair(row[i] + offset);
#pragma GCC unroll 3
      for (int j = 0; j < V; ++j) sum[i][j] = dot(left, panel[j], sum[i][j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
    float* to = tile.c.data + i * tile.c.stride;
#pragma GCC unroll 3
    for (int j = 0; j < V; ++j, to += kLanes) store(to, tile.c.add ? sum[i][j] + load(to) : sum[i][j]);
  }
}

template <int R, bool Fetch>
CORTADO_INLINE void multiply_pairs(int64_t vectors, const PairTile& tile) {
  if constexpr (kTileVectors > 2) {
    if (vectors == 3) return multiply_pairs<R, 3, Fetch>(tile);
  }
  if (vectors == 2) return multiply_pairs<R, 2, Fetch>(tile);
  multiply_pairs<R, 1, Fetch>(tile);
}

/// Multiplies a tile of a height given by tile_height() and of a whole number of vectors, kPanel columns at most.
CORTADO_INLINE void multiply_pairs(int height, int64_t width, const PairTile& tile) {
  const int64_t vectors = width / kLanes;
  if (height == kTileRows && tile.ahead.from != nullptr) return multiply_pairs<kTileRows, true>(vectors, tile);
  with_height(height, [&]<int Rows>() { multiply_pairs<Rows, false>(vectors, tile); });
}

/// Pairs that hold n numbers.
CORTADO_INLINE int64_t pairs_of(int64_t n) { return divide_up(n, 2); }

/// n numbers, rounded; behind an odd number of them a zero.
CORTADO_INLINE void round_row(const float* from, int64_t n, uint16_t* to) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store_bf16(to + i, load(from + i), kLanes);
  if (i < n) store_bf16(to + i, load_part(from + i, n - i), n - i);
  if (n % 2 != 0) to[n] = 0;
}

/// to(j) = the pair low(j), high(j) for j < lanes; zeros fill the last vector. high may be absent: zeros.
CORTADO_INLINE void pair_rows(const float* low, const float* high, int64_t lanes, Pair* to) {
  for (int64_t j = 0; j < lanes; j += kLanes) {
    const int64_t count = smaller(kLanes, lanes - j);
    const Vf upper = high == nullptr ? zero() : load_lanes(high + j, count);
    store(to + j, from_bits(pair(load_lanes(low + j, count), upper)));
  }
}

}  // namespace
}  // namespace cortado::CORTADO_ISA
