// Loops for formulas that make element i of the result from elements i of the inputs.
#pragma once

#include "../kernels/checks.h"
#include "past_caches.h"

/// The iterations of the next loop do not depend on each other, even where the result is written over an input.
#if defined(__clang__)
#define CORTADO_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define CORTADO_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace cortado::CORTADO_ISA {

/// Elements that are worth another thread.
constexpr int64_t kElementGrain = 1 << 14;

/// F has `kInputs`, a constructor that reads its attributes, and `float operator()(float...) const`.
template <class F>
struct Elementwise {
  F f;
  const float* in[F::kInputs];
  float* y;
  int64_t n;

  explicit Elementwise(Prepare& step) : f(step), y(step.out(0).f32()), n(step.out(0).size()) {
    for (int i = 0; i < F::kInputs; ++i) {
      in[i] = step.in(i).f32();
      step.expect(holds(step.out(0), n) && holds(step.in(i), n), "tensors of one size");
    }
  }

  void run(const Run& run) const {
    const Elementwise self = *this;
    const bool past = leaves_caches(n) && !in_place();
    for_slices(run.threads, n, kElementGrain, [self, past](int64_t begin, int64_t end) {
      if (past) {
        self.slice_past(begin, end);
      } else {
        self.slice(begin, end, self.y + begin);
      }
    });
  }

 private:
  CORTADO_INLINE bool in_place() const {
    for (const float* x : in) {
      if (x == y) return true;
    }
    return false;
  }

  /// Elements [begin, end), past the caches by way of the first of them.
  CORTADO_INLINE void slice_past(int64_t begin, int64_t end) const {
    constexpr int64_t kBlock = 1024;
    alignas(sizeof(Vf)) float block[kBlock];
    // The first block ends where one of y's vectors begins.
    int64_t next = begin + to_next_vector(y + begin);
    for (int64_t i = begin; i < end; i = next, next += kBlock) {
      if (next > end) next = end;
      slice(i, next, block);
      copy_past(y + i, block, next - i);
    }
    stream_end();
  }

  /// Elements [begin, end), to `to` and what follows.
  CORTADO_INLINE void slice(int64_t begin, int64_t end, float* to) const {
    const F formula = f;
    const int64_t n = end - begin;
    const float* const a = in[0] + begin;
    if constexpr (F::kInputs == 1) {
      CORTADO_INDEPENDENT
      for (int64_t i = 0; i < n; ++i) to[i] = formula(a[i]);
    } else if constexpr (F::kInputs == 2) {
      const float* const b = in[1] + begin;
      CORTADO_INDEPENDENT
      for (int64_t i = 0; i < n; ++i) to[i] = formula(a[i], b[i]);
    } else {
      static_assert(F::kInputs == 3);
      const float *const b = in[1] + begin, *const c = in[2] + begin;
      CORTADO_INDEPENDENT
      for (int64_t i = 0; i < n; ++i) to[i] = formula(a[i], b[i], c[i]);
    }
  }
};

}  // namespace cortado::CORTADO_ISA
