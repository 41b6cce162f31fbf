// The inner loop of every matrix product: a tile of C held in registers.
#pragma once

#include "bounds.h"

namespace cortado::CORTADO_ISA {
namespace {

// Rows and vectors of the tile: as many accumulators as the register file holds beside one row of B and one value of A;
// and how many addends a turn of its loop takes. Where a core's other thread seems to be at work, too, instructions
// that only count cost a tenth of the speed.
#if defined(__AVX512F__)
constexpr int kTileRows = 8, kTileVectors = 3, kTurn = 1;  // of 32 registers
#elif defined(__ARM_NEON)
constexpr int kTileRows = 8, kTileVectors = 2, kTurn = 1;  // of 32; the compiler keeps all 8 values of A in registers
#elif defined(__AVX2__)
constexpr int kTileRows = 6, kTileVectors = 2, kTurn = 3;  // of 16
#else
constexpr int kTileRows = 4, kTileVectors = 2, kTurn = 1;  // of 16, and multiplication needs one
#endif
constexpr int kPanel = kTileVectors * kLanes;

/// The left factor as the tile reads it: A(i, k) = row[i][at[k]], or row[i][k] without a table. The table makes any
/// operand readable where it lies: the taps of a convolution are as good as the columns of a matrix. What a row at
/// `ahead`, if not null, would read is brought to the second-level cache meanwhile, by tiles of full height.
struct TileRows {
  const float* row[kTileRows];
  const float* ahead = nullptr;
};

/// The right factor: B(k, j) = data[k * stride + j], whole vectors wide. What lies at ahead[k * ahead_stride], if not
/// null, is brought to the second-level cache meanwhile, a cache line or, if ahead_row, as much as a row of B: a later
/// tile's numbers. If `packed` is not null, B is copied there without gaps on its way, for the tiles below this one;
/// else it has none.
struct TilePanel {
  const float* data;
  int64_t stride;
  const float* ahead = nullptr;
  int64_t ahead_stride = 0;
  float* packed = nullptr;
  bool ahead_row = false;
};

/// What is done to sums that are complete: a bias (or nullptr) added, one number for each row or for each column; then
/// they are held between bounds.
struct Finish {
  const float* bias = nullptr;
  bool of_rows = false;
  Bounds bounds = {};

  CORTADO_INLINE bool any() const { return bias != nullptr || bounds.any(); }
  /// That of a block which begins at this row and column.
  CORTADO_INLINE Finish at(int64_t row, int64_t column) const {
    return {bias == nullptr ? nullptr : bias + (of_rows ? row : column), of_rows, bounds};
  }
};

/// Where the tile goes, C(i, j) = data[i * stride + j], and whether it is added to what is there; or written past the
/// caches, its rows aligned to vectors. Last it is finished. What lies `ahead` numbers on is called to the first-level
/// cache meanwhile.
struct TileOut {
  float* data;
  int64_t stride;
  bool add;
  bool stream = false;
  Finish finish = {};
  int64_t ahead = 0;
};

/// What a tile does with memory beside its products: TileRows' `ahead`, TilePanel's `ahead`, alone or with `ahead_row`,
/// and `packed`.
enum class Beside { nothing, fetch_rows, fetch_panel, fetch_panel_row, pack };

/// Rows of B that a packing tile fetches before it loads them.
constexpr int64_t kPackAhead = 24;

/// All that a tile needs.
struct Tile {
  TileRows a;
  const int64_t* at;  // TileRows' table, or nullptr: `packed` wants none; two sums, `a.ahead` and `ahead_row` want one
  int64_t depth;
  TilePanel b;
  TileOut c;
};

/// A tile's sums to their place. Row after row, so that the compiler keeps one address and not R x V of them.
template <int R, int V>
CORTADO_INLINE void put_tile(const TileOut& to, Vf (&sum)[R][V]) {
  const int64_t stride = to.stride;
  if (to.add) {
    const float* from = to.data;
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i, from += stride) {
#pragma GCC unroll 3
      for (int j = 0; j < V; ++j) sum[i][j] += load(from + j * kLanes);
    }
  }
  if (to.finish.any()) {
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      const bool of_rows = to.finish.of_rows;
      const Vf shift = to.finish.bias != nullptr && of_rows ? splat(to.finish.bias[i]) : zero();
#pragma GCC unroll 3
      for (int j = 0; j < V; ++j) {
        const Vf bias = to.finish.bias != nullptr && !of_rows ? load(to.finish.bias + j * kLanes) : shift;
        sum[i][j] = to.finish.bounds.hold(sum[i][j] + bias);
      }
    }
  }
  const auto put = [&](auto store_vector) __attribute__((always_inline)) {
    float* place = to.data;
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i, place += stride) {
#pragma GCC unroll 3
      for (int j = 0; j < V; ++j) store_vector(place + j * kLanes, sum[i][j]);
    }
  };
  if (to.stream) return put([](float* p, Vf v) __attribute__((always_inline)) { store_stream(p, v); });
  put([](float* p, Vf v) __attribute__((always_inline)) { store(p, v); });
}

/// C(i, j) (+)= sum over k < depth of A(i, k) B(k, j), for R rows and V vectors of columns. The sum starts at zero and
/// meets C at its end, so that long sums are made of short ones; with two sums, each has every other addend.
template <int R, int V, int kSums, Beside kBeside, bool kTable>
__attribute__((noinline)) void multiply_tile(const Tile& tile) {
  Vf sum[kSums][R][V] = {};
  const float* row[R];
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) row[i] = tile.a.row[i];
  const float* right = tile.b.data;
  const int64_t depth = tile.depth, next = kBeside == Beside::pack ? tile.b.stride : V * kLanes, *at = tile.at;
  float* const to = tile.c.data;
  const int64_t stride = tile.c.stride;
  const float* ahead = kBeside == Beside::fetch_rows ? tile.a.ahead : tile.b.ahead;
  float* packed = tile.b.packed;
  // C is on its way here while the products are made. This must stay a loop: unrolled, it takes all address registers.
  if (!tile.c.stream) {
    const float* const called = to + tile.c.ahead;
    for (const float *row = called, *end = called + R * stride; row != end; row += stride) {
#pragma GCC unroll 3
      for (int j = 0; j < V; ++j) __builtin_prefetch(row + j * kLanes, 1);
    }
  }
  const auto multiply = [&](Vf(&into)[R][V], int64_t k) __attribute__((always_inline)) {
    const int64_t offset = kTable ? at[k] : k;
    if constexpr (kBeside == Beside::fetch_rows) __builtin_prefetch(ahead + offset, 0, 2);
    if constexpr (kBeside == Beside::fetch_panel) __builtin_prefetch(ahead + k * tile.b.ahead_stride, 0, 2);
    if constexpr (kBeside == Beside::fetch_panel_row) {
#pragma GCC unroll 3
      for (int j = 0; j < V; ++j) __builtin_prefetch(ahead + k * tile.b.ahead_stride + j * kLanes, 0, 2);
    }
    if constexpr (kBeside == Beside::pack) {
#pragma GCC unroll 3
      for (int j = 0; j < V; ++j) __builtin_prefetch(right + kPackAhead * next + j * kLanes);
    }
    Vf panel[V];
#pragma GCC unroll 3
    for (int j = 0; j < V; ++j) panel[j] = load(right + j * kLanes);
    if constexpr (kBeside == Beside::pack) {
#pragma GCC unroll 3
      for (int j = 0; j < V; ++j) store(packed + j * kLanes, panel[j]);
      packed += V * kLanes;
    }
    right += next;
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      const Vf left = splat(row[i][offset]);
#pragma GCC unroll 3
      for (int j = 0; j < V; ++j) into[i][j] = fma(left, panel[j], into[i][j]);
    }
  };
  constexpr int kStep = kTurn > kSums ? kTurn / kSums * kSums : kSums;
  int64_t k = 0;
  for (; k + kStep <= depth; k += kStep) {
#pragma GCC unroll 4
    for (int s = 0; s < kStep; ++s) multiply(sum[s % kSums], k + s);
  }
  for (; k < depth; ++k) multiply(sum[0], k);
  if constexpr (kSums > 1) {
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
#pragma GCC unroll 3
      for (int j = 0; j < V; ++j) sum[0][i][j] += sum[1][i][j];
    }
  }
  put_tile<R, V>(tile.c, sum[0]);
}

template <int R, int kSums, Beside kBeside, bool kTable = true>
CORTADO_INLINE void multiply_tile(int vectors, const Tile& tile) {
  if constexpr (kTileVectors > 2) {
    if (vectors == 3) return multiply_tile<R, 3, kSums, kBeside, kTable>(tile);
  }
  if (vectors == 2) return multiply_tile<R, 2, kSums, kBeside, kTable>(tile);
  multiply_tile<R, 1, kSums, kBeside, kTable>(tile);
}

template <int R, int kSums>
CORTADO_INLINE void multiply_tile(int vectors, const Tile& tile) {
  if constexpr (kSums == 1) {
    if (tile.at == nullptr) {
      if (tile.b.packed != nullptr) return multiply_tile<R, kSums, Beside::pack, false>(vectors, tile);
      if (tile.b.ahead != nullptr) return multiply_tile<R, kSums, Beside::fetch_panel, false>(vectors, tile);
      return multiply_tile<R, kSums, Beside::nothing, false>(vectors, tile);
    }
    if (tile.b.ahead_row) return multiply_tile<R, kSums, Beside::fetch_panel_row>(vectors, tile);
  }
  if constexpr (kSums == 1 && R == kTileRows) {
    if (tile.a.ahead != nullptr) return multiply_tile<R, kSums, Beside::fetch_rows>(vectors, tile);
  }
  if (tile.b.ahead != nullptr) return multiply_tile<R, kSums, Beside::fetch_panel>(vectors, tile);
  multiply_tile<R, kSums, Beside::nothing>(vectors, tile);
}

/// The largest tile height that fits in `rows` rows: all of a tile's, or a power of two. Two sums take the registers of
/// half the rows.
template <int kSums = 1>
CORTADO_INLINE int tile_height(int64_t rows) {
  constexpr int kMost = kTileRows / kSums;
  if (rows >= kMost) return kMost;
  int height = 4;
  while (height > rows) height /= 2;
  return height;
}

/// f.operator()<height>(), for a height given by tile_height().
template <int kSums = 1, class F>
CORTADO_INLINE void with_height(int height, const F& f) {
  constexpr int kMost = kTileRows / kSums;
  if (height == kMost) return f.template operator()<kMost>();
  if constexpr (kMost > 4) {
    if (height == 4) return f.template operator()<4>();
  }
  if constexpr (kMost > 2) {
    if (height == 2) return f.template operator()<2>();
  }
  f.template operator()<1>();
}

/// Multiplies a tile of a height given by tile_height() and of width kLanes to kPanel, a whole number of vectors.
template <int kSums = 1>
CORTADO_INLINE void multiply_tile(int height, int64_t width, const Tile& tile) {
  const int vectors = static_cast<int>(width / kLanes);
  with_height<kSums>(height, [&]<int Rows>() { multiply_tile<Rows, kSums>(vectors, tile); });
}

}  // namespace
}  // namespace cortado::CORTADO_ISA
