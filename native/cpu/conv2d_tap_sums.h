// Products of features with the source at each of some taps, as the gradients of filters of one channel add them up.
#pragma once

#include "gemm_grid.h"

namespace cortado::CORTADO_ISA {
namespace {

/// As many sums as stay in registers beside a feature: those of 3 x 3 taps, or of two rows of 7.
constexpr int kTapSums = kRegisters > 16 ? 14 : 9;

/// Rows of features, a vector each, without gaps, and the source that they meet.
struct TapSums {
  int64_t height, width;
  const float *features, *source;
  int64_t source_row, step;  // from feature to feature, of the source
  const int64_t* at;         // distance of each tap from there
  float* sums;               // a vector for each tap
};

/// sums += features times the source at each of T taps. Long sums are made of short ones: each call begins at zero.
template <int T>
__attribute__((noinline)) void add_taps(TapSums p) {
  Vf sum[T] = {};
  for (int64_t y = 0; y < p.height; ++y, p.source += p.source_row) {
    const float *from[T], *const features = p.features;
#pragma GCC unroll 14
    for (int t = 0; t < T; ++t) from[t] = p.source + p.at[t];
    const int64_t end = p.width * kLanes;
    for (int64_t x = 0, at = 0; x < end; x += kLanes, at += p.step) {
      const Vf left = load(features + x);
#pragma GCC unroll 14
      for (int t = 0; t < T; ++t) sum[t] = fma(left, load(from[t] + at), sum[t]);
    }
    p.features += end;
  }
#pragma GCC unroll 14
  for (int t = 0; t < T; ++t) store(p.sums + t * kLanes, load(p.sums + t * kLanes) + sum[t]);
}

template <int T = kTapSums>
CORTADO_INLINE void add_some_taps(int64_t taps, const TapSums& p) {
  if constexpr (T > 1) {
    if (taps < T) return add_some_taps<T - 1>(taps, p);
  }
  add_taps<T>(p);
}

/// The same for any number of taps.
inline void add_taps(int64_t taps, const TapSums& p) {
  const int64_t chunks = divide_up(taps, kTapSums);
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const Part part = part_of(taps, chunk, chunks);
    TapSums some = p;
    some.at += part.begin;
    some.sums += part.begin * kLanes;
    add_some_taps(part.end - part.begin, some);
  }
}

}  // namespace
}  // namespace cortado::CORTADO_ISA
