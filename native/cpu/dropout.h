// Dropout in training (Srivastava et al. 2014, inverted): y = x / (1 - ratio) with probability 1 - ratio, else 0. The
// same kernel turns dy into dx: the run's random numbers, drawn again, make the same mask.
#pragma once

#include "../kernels/random.h"
#include "elementwise.h"

namespace cortado::CORTADO_ISA {

/// x, random state (4 x i32) -> y; y may lie over x.
struct Dropout {
  const float* x;
  const int32_t* state;
  float* y;
  int64_t n, stream;
  float scale;
  uint32_t dropped;  // random words below this drop their element

  explicit Dropout(Prepare& step)
      : x(step.in(0).f32()),
        state(step.in(1).i32()),
        y(step.out(0).f32()),
        n(step.in(0).size()),
        stream(step.integer("stream")) {
    step.expect(holds(step.in(0), n) && holds(step.in(1), 4, DType::i32) && holds(step.out(0), n),
                "tensors of one size and a random state");
    const double ratio = step.number("ratio");
    step.expect(ratio >= 0 && ratio < 1, "a ratio of at least 0 and below 1");
    scale = static_cast<float>(1.0 / (1.0 - ratio));
    dropped = static_cast<uint32_t>(ratio * 4294967295.0);
  }

  void run(const Run& run) const {
    const RandomStream random(state, stream);
    for_slices(run.threads, (n + kBlock - 1) / kBlock, 1, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) slice(random, block);
    });
  }

 private:
  static constexpr int64_t kBlock = 1024;

  CORTADO_INLINE void slice(const RandomStream& random, int64_t block) const {
    uint32_t words[kBlock];
    const int64_t first = block * (kBlock / 4);
    for (int64_t i = 0; i < kBlock / 4; ++i) {
      const Words drawn = random.words(first + i);
      for (int k = 0; k < 4; ++k) words[4 * i + k] = drawn.word[k];
    }
    const int64_t at = block * kBlock, count = n - at < kBlock ? n - at : kBlock;
    const float* const from = x + at;
    float* const to = y + at;
    CORTADO_INDEPENDENT
    for (int64_t i = 0; i < count; ++i) to[i] = words[i] < dropped ? 0.0f : from[i] * scale;
  }
};

}  // namespace cortado::CORTADO_ISA
