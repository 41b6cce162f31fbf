// Products of matrices that need not exist: C(m, n) = sum over k of A(m, k) B(k, n), in tiles of 64 x 64, four by four
// numbers a thread. Long sums are cut into slices, whose products are added in order. This is what convolutions and
// inner products fall back to where there is no library for them.
#pragma once

#include "launch.h"

namespace cortado::cuda {

/// Extents of a product: `batches` of them side by side, `slices` of the sum over `depth`.
struct ProductShape {
  int64_t batches, rows, columns, depth, slices;

  static constexpr int kTile = 64;

  /// Slices depend on the extents alone, so that the bits do.
  static ProductShape of(int64_t batches, int64_t rows, int64_t columns, int64_t depth) {
    constexpr int64_t kBlocks = 512, kLeastDepth = 512;
    const int64_t tiles = batches * divide_up(rows) * divide_up(columns);
    const int64_t wanted = tiles > 0 && tiles < kBlocks ? kBlocks / tiles : 1, most = depth / kLeastDepth;
    return {batches, rows, columns, depth, most < 1 ? 1 : most < wanted ? most : wanted};
  }
  __host__ __device__ static int64_t divide_up(int64_t n) { return (n + kTile - 1) / kTile; }
  __host__ __device__ int64_t size() const { return batches * rows * columns; }
  /// Scratch for the slices' products.
  size_t bytes() const { return slices > 1 ? static_cast<size_t>(slices * size()) * sizeof(float) : 0; }
  int64_t blocks() const { return batches * slices * divide_up(rows) * divide_up(columns); }
};

/// P has Row row(batch, m) and Column column(batch, n), what is known of a row of A and a column of B; a(Row, k) and
/// b(Column, k); put(batch, m, n, sum); and whether A, B lie along k in memory.
template <class P>
struct Product {
  static constexpr int kTile = ProductShape::kTile, kDepth = 16, kEach = 4;
  P p;
  ProductShape s;
  float* parts;

  __device__ void operator()(int64_t block) const {
    __shared__ float a[kDepth][kTile + 4], b[kDepth][kTile + 4];
    const int64_t columns = ProductShape::divide_up(s.columns), rows = ProductShape::divide_up(s.rows);
    const int64_t n = block % columns * kTile, m = block / columns % rows * kTile;
    const int64_t slice = block / (columns * rows) % s.slices, batch = block / (columns * rows * s.slices);
    const int64_t begin = s.depth * slice / s.slices, end = s.depth * (slice + 1) / s.slices;
    const int x = threadIdx.x % 16, y = threadIdx.x / 16;
    float sum[kEach][kEach] = {};
    Loader<P::kAlongA, Left> left(p, batch, m, s.rows);
    Loader<P::kAlongB, Right> right(p, batch, n, s.columns);
    for (int64_t k = begin; k < end; k += kDepth) {
      left.load(p, k, end, a);
      right.load(p, k, end, b);
      __syncthreads();
      multiply(a, b, x, y, sum);
      __syncthreads();
    }
    for (int i = 0; i < kEach; ++i) {
      for (int j = 0; j < kEach; ++j) {
        const int64_t row = m + y * kEach + i, column = n + x * kEach + j;
        if (row >= s.rows || column >= s.columns) continue;
        if (s.slices == 1) {
          p.put(batch, row, column, sum[i][j]);
        } else {
          parts[((slice * s.batches + batch) * s.rows + row) * s.columns + column] = sum[i][j];
        }
      }
    }
  }

 private:
  using Tile = float[kDepth][kTile + 4];

  struct Left {
    using Line = typename P::Row;
    static __device__ Line line(const P& p, int64_t batch, int64_t m) { return p.row(batch, m); }
    static __device__ float get(const P& p, const Line& line, int64_t k) { return p.a(line, k); }
  };
  struct Right {
    using Line = typename P::Column;
    static __device__ Line line(const P& p, int64_t batch, int64_t n) { return p.column(batch, n); }
    static __device__ float get(const P& p, const Line& line, int64_t k) { return p.b(line, k); }
  };

  /// Loads a tile of one side so that neighbouring threads read neighbouring numbers: along k, or across it.
  template <bool kAlong, class Side>
  struct Loader {
    static constexpr int kLines = kAlong ? 4 : 1;
    typename Side::Line line[kLines];
    bool there[kLines];

    __device__ Loader(const P& p, int64_t batch, int64_t first, int64_t most) {
      for (int i = 0; i < kLines; ++i) {
        const int64_t at = first + place(i);
        there[i] = at < most;
        line[i] = Side::line(p, batch, there[i] ? at : 0);
      }
    }
    __device__ void load(const P& p, int64_t k, int64_t end, Tile& tile) const {
      for (int i = 0; i < 4; ++i) {
        const int own = kAlong ? i : 0, depth = kAlong ? threadIdx.x % 16 : threadIdx.x / kTile + 4 * i;
        tile[depth][place(i)] = there[own] && k + depth < end ? Side::get(p, line[own], k + depth) : 0.0f;
      }
    }
    static __device__ int place(int i) { return kAlong ? threadIdx.x / 16 + 16 * i : threadIdx.x % kTile; }
  };

  static __device__ void multiply(const Tile& a, const Tile& b, int x, int y, float (&sum)[kEach][kEach]) {
    for (int k = 0; k < kDepth; ++k) {
      float u[kEach], v[kEach];
      for (int i = 0; i < kEach; ++i) u[i] = a[k][y * kEach + i];
      for (int j = 0; j < kEach; ++j) v[j] = b[k][x * kEach + j];
      for (int i = 0; i < kEach; ++i) {
        for (int j = 0; j < kEach; ++j) sum[i][j] = fmaf(u[i], v[j], sum[i][j]);
      }
    }
  }
};

/// Adds the slices' products in order.
template <class P>
struct AddProducts {
  P p;
  ProductShape s;
  const float* parts;

  __device__ void operator()(int64_t i) const {
    float sum = 0;
    for (int64_t slice = 0; slice < s.slices; ++slice) sum += parts[slice * s.size() + i];
    p.put(i / (s.rows * s.columns), i / s.columns % s.rows, i % s.columns, sum);
  }
};

template <class P>
void multiply(const Launch& launch, const ProductShape& s, const P& p) {
  auto* parts = static_cast<float*>(launch.scratch);
  for_blocks(launch, s.blocks(), Product<P>{p, s, parts});
  if (s.slices > 1) for_each(launch, s.size(), AddProducts<P>{p, s, parts});
}

}  // namespace cortado::cuda
