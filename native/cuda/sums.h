// Sums over rows of items whose bits depend on the extents alone, not on the GPU: a row is cut into slices, each slice
// is one block's, and another adds up the slices. Sums are in double: one addition an item is cheaper than its way
// from memory, even where a GPU has few units for it.
#pragma once

#include "launch.h"

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
    for (int64_t slice = threadIdx.x; slice < slices; slice += kBlock) {
      for (int k = 0; k < K; ++k) sums[k] += parts[(row * slices + slice) * K + k];
    }
    for (int k = 0; k < K; ++k) sums[k] = over_block(sums[k], Add());
    if (threadIdx.x == 0) f.done(row, sums);
  }
};

/// f.done(row, sums) with the totals of each row's slices: parts (rows, slices, K).
template <int K, class F>
void add_slices(const Launch& launch, int64_t rows, int64_t slices, const double* parts, const F& f) {
  for_blocks(launch, rows, AddSlices<K, F>{f, slices, parts});
}

}  // namespace detail

/// K sums for each row: f.term(row, item, sums) adds an item's terms, f.done(row, sums) takes the totals, on one
/// thread. `parts` has sums_bytes<K>(rows, items).
template <int K, class F>
void sum_rows(const Launch& launch, int64_t rows, int64_t items, void* parts, const F& f) {
  const int64_t slices = slices_of(rows, items);
  auto* sums = static_cast<double*>(parts);
  for_blocks(launch, rows * slices, detail::SumSlices<K, F>{f, items, slices, sums});
  if (slices > 1) detail::add_slices<K>(launch, rows, slices, sums, f);
}

}  // namespace cortado::cuda
