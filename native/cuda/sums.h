// Sums over rows of items whose bits depend on the extents alone, not on the GPU: a row is cut into slices, each slice
// is one block's, and the slices are added in order. Sums are in double: one addition an item is cheaper than its way
// from memory, even where a GPU has few units for it.
#pragma once

#include "launch.h"
#include "numbers.h"

namespace cortado::cuda {

/// Slices of each row: enough blocks for any GPU, none with less than some thousand items.
inline int64_t slices_of(int64_t rows, int64_t items) {
  constexpr int64_t kItems = 4096, kBlocks = 512;
  const int64_t most = (items + kItems - 1) / kItems, wanted = rows < kBlocks ? kBlocks / rows : 1;
  return most < wanted ? (most > 0 ? most : 1) : wanted;
}

/// Bytes of scratch that sum_rows<K> needs.
template <int K>
size_t sums_bytes(int64_t rows, int64_t items) {
  return static_cast<size_t>(rows * slices_of(rows, items) * K) * sizeof(double);
}

namespace detail {

template <int K, class F>
struct SumSlices {
  F f;
  int64_t items, slices;
  double* parts;

  __device__ void operator()(int64_t block) const {
    const int64_t row = block / slices, slice = block % slices;
    const int64_t end = items * (slice + 1) / slices;
    double sums[K] = {};
    for (int64_t i = items * slice / slices + threadIdx.x; i < end; i += kBlock) f.term(row, i, sums);
    for (int k = 0; k < K; ++k) sums[k] = over_block(sums[k], Add());
    if (threadIdx.x != 0) return;
    if (slices == 1) return f.done(row, sums);
    for (int k = 0; k < K; ++k) parts[block * K + k] = sums[k];
  }
};

template <int K, class F>
struct AddSlices {
  F f;
  int64_t slices;
  const double* parts;

  __device__ void operator()(int64_t row) const {
    double sums[K] = {};
    for (int64_t slice = 0; slice < slices; ++slice) {
      for (int k = 0; k < K; ++k) sums[k] += parts[(row * slices + slice) * K + k];
    }
    f.done(row, sums);
  }
};

}  // namespace detail

/// K sums for each row: f.term(row, item, sums) adds an item's terms, f.done(row, sums) takes the totals, on one
/// thread. `parts` has sums_bytes<K>(rows, items).
template <int K, class F>
void sum_rows(const Launch& launch, int64_t rows, int64_t items, void* parts, const F& f) {
  const int64_t slices = slices_of(rows, items);
  auto* sums = static_cast<double*>(parts);
  for_blocks(launch, rows * slices, detail::SumSlices<K, F>{f, items, slices, sums});
  if (slices > 1) for_each(launch, rows, detail::AddSlices<K, F>{f, slices, sums});
}

namespace detail {

/// A slice of the rows of 32 columns: a warp reads along a row, and the warps' sums are added in order.
template <class T>
struct SumColumnSlices {
  static constexpr int kColumns = 32, kWarps = kBlock / kColumns;
  const T* x;
  int64_t columns, rows, slices;
  double* parts;

  static int64_t tiles(int64_t columns) { return (columns + kColumns - 1) / kColumns; }
  __device__ void operator()(int64_t block) const {
    __shared__ double sums[kWarps][kColumns];
    const int64_t slice = block % slices, column = block / slices * kColumns + threadIdx.x % kColumns;
    const int64_t end = rows * (slice + 1) / slices;
    const int warp = threadIdx.x / kColumns;
    double sum = 0;
    if (column < columns) {
      for (int64_t row = rows * slice / slices + warp; row < end; row += kWarps)
        sum += static_cast<double>(widen(x[row * columns + column]));
    }
    sums[warp][threadIdx.x % kColumns] = sum;
    __syncthreads();
    if (warp != 0 || column >= columns) return;
    for (int other = 1; other < kWarps; ++other) sum += sums[other][threadIdx.x];
    parts[slice * columns + column] = sum;
  }
};

struct AddColumnSlices {
  const double* parts;
  int64_t columns, slices;
  float* to;

  __device__ void operator()(int64_t column) const {
    double sum = 0;
    for (int64_t slice = 0; slice < slices; ++slice) sum += parts[slice * columns + column];
    to[column] = static_cast<float>(sum);
  }
};

inline int64_t column_slices(int64_t columns, int64_t rows) {
  constexpr int kColumns = SumColumnSlices<float>::kColumns;
  return slices_of(SumColumnSlices<float>::tiles(columns), rows * kColumns);
}

}  // namespace detail

/// Bytes of scratch that sum_columns needs.
inline size_t column_sums_bytes(int64_t columns, int64_t rows) {
  return static_cast<size_t>(columns * detail::column_slices(columns, rows)) * sizeof(double);
}

/// to (columns) = the sums of the columns of x (rows, columns).
template <class T>
void sum_columns(const Launch& launch, int64_t columns, int64_t rows, void* parts, const T* x, float* to) {
  using Slices = detail::SumColumnSlices<T>;
  const int64_t slices = detail::column_slices(columns, rows);
  auto* const sums = static_cast<double*>(parts);
  for_blocks(launch, Slices::tiles(columns) * slices, Slices{x, columns, rows, slices, sums});
  for_each(launch, columns, detail::AddColumnSlices{sums, columns, slices, to});
}

}  // namespace cortado::cuda
