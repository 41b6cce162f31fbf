#pragma once

#include "../core/kernel.h"
#include "simd.h"

namespace cortado::CORTADO_ISA {

/// y (1, i32) = 1 when some element of x is NaN or infinite, else 0.
struct NonFinite {
  Tensor x, y;

  explicit NonFinite(Prepare& step) : x(step.in(0)), y(step.out(0)) {
    step.scratch(sizeof(int32_t) * static_cast<size_t>(step.threads()));
  }

  void run(const Run& run) const {
    auto* found = static_cast<int32_t*>(run.scratch);
    on_every_thread(run.threads, [&](int thread, int threads) {
      const int64_t begin = x.size() * thread / threads, end = x.size() * (thread + 1) / threads;
      int32_t any = 0;
      // Not "greater than the largest": that is false for NaN.
      for (int64_t i = begin; i < end; ++i) any |= !(fabsf(x.f32()[i]) <= 3.40282347e38f);
      found[thread] = any;
    });
    int32_t any = 0;
    for (int thread = 0; thread < run.threads.count(); ++thread) any |= found[thread];
    y.i32()[0] = any;
  }
};

}  // namespace cortado::CORTADO_ISA
