// Long sums whose bits do not depend on the number of threads.
#pragma once

#include "../kernels/pairs.h"
#include "elementwise.h"
#include "slices.h"

namespace cortado::CORTADO_ISA {

constexpr int kChunks = 64;

/// Scratch that chunked_sums<K> needs.
template <int K>
CORTADO_INLINE size_t chunk_bytes() {
  return kChunks * K * sizeof(double);
}

/// K sums over n items: f(begin, end, sums) adds up one of at most kChunks fixed chunks, whose sums are then added in
/// order. `work` is the cost of an item in elements.
template <int K, class F>
CORTADO_INLINE void chunked_sums(const Run& run, int64_t n, int64_t work, double (&totals)[K], const F& f) {
  auto* parts = static_cast<double (*)[K]>(run.scratch);
  const int64_t chunks = n < kChunks ? n : kChunks;
  const int64_t each = n / (chunks > 0 ? chunks : 1) * work;
  for_slices(run.threads, chunks, grain_of(each), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      double sums[K] = {};
      f(n * i / chunks, n * (i + 1) / chunks, sums);
      for (int k = 0; k < K; ++k) parts[i][k] = sums[k];
    }
  });
  for (int k = 0; k < K; ++k) totals[k] = 0;
  for (int64_t i = 0; i < chunks; ++i) {
    for (int k = 0; k < K; ++k) totals[k] += parts[i][k];
  }
}

}  // namespace cortado::CORTADO_ISA
