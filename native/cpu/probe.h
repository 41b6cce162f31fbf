// What this machine can do at best: the yardsticks that timings are held against.
#pragma once

#include "../core/kernel.h"
#include "simd.h"

namespace cortado::CORTADO_ISA {

/// Multiply-adds from registers alone, `rounds` times 48 vectors of them on every thread; out (1) keeps the compiler
/// honest.
struct ProbeFlops {
  Tensor out;
  int64_t rounds;

  explicit ProbeFlops(Prepare& step) : out(step.out(0)), rounds(step.integer("rounds")) {}

  void run(const Run& run) const {
    on_every_thread(run.threads, [this](int thread, int) {
      // Enough independent sums to hide an FMA's latency on two ports, or four, and few enough for the registers: one
      // more than those, and it is memory that is measured.
      constexpr int kSums = kRegisters > 16 ? 24 : 12;
      const Vf factor = splat(0.999999f), term = splat(1e-7f);
      Vf sums[kSums];
      for (int i = 0; i < kSums; ++i) sums[i] = splat(static_cast<float>(i));
      for (int64_t round = 0; round < rounds * (48 / kSums); ++round) {
#pragma GCC unroll 24
        for (int i = 0; i < kSums; ++i) sums[i] = fma(sums[i], factor, term);
      }
      Vf total = zero();
      for (int i = 0; i < kSums; ++i) total += sums[i];
      float lanes[kLanes];
      store(lanes, total);
      if (thread == 0) out.f32()[0] = lanes[0];
      // The other threads' sums must be computed, too.
      asm volatile("" : : "g"(lanes) : "memory");
    });
  }
};

/// Copies x to y past the caches: the most bytes a second that a kernel can move, both ways counted.
struct ProbeCopy {
  Tensor x, y;

  explicit ProbeCopy(Prepare& step) : x(step.in(0)), y(step.out(0)) {}

  void run(const Run& run) const {
    const int64_t vectors = x.size() / kLanes;
    for_slices(run.threads, vectors, 1024, [this](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) store_stream(y.f32() + i * kLanes, load(x.f32() + i * kLanes));
      stream_end();
    });
  }
};

}  // namespace cortado::CORTADO_ISA
