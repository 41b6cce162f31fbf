// Dropout in training (Srivastava et al. 2014, inverted): y = x / (1 - ratio) with probability 1 - ratio, else 0. The
// same kernel turns dy into dx: the run's random numbers, drawn again, make the same mask.
#pragma once

#include "../kernels/random.h"
#include "elementwise.h"
#include "simd.h"

namespace cortado::CORTADO_ISA {

/// philox() of kernels/random.h for kLanes counters at once.
CORTADO_INLINE void philox(Vi (&c)[4], uint32_t key0, uint32_t key1) {
  const Vi a = splat(static_cast<int32_t>(0xd2511f53)), b = splat(static_cast<int32_t>(0xcd9e8d57));
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const Vi a_high = multiply_high(a, c[0]), a_low = multiply_low(a, c[0]);
    const Vi b_high = multiply_high(b, c[2]), b_low = multiply_low(b, c[2]);
    c[0] = b_high ^ c[1] ^ splat(static_cast<int32_t>(key0));
    c[1] = b_low;
    c[2] = a_high ^ c[3] ^ splat(static_cast<int32_t>(key1));
    c[3] = a_low;
    key0 += 0x9e3779b9;
    key1 += 0xbb67ae85;
  }
}

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
    for_slices(run.threads, (n + kBlock - 1) / kBlock, kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) draw(random, block);
    });
  }

 private:
  static constexpr int64_t kBlock = 4 * kLanes, kGrain = 1024 / kBlock;

  /// The elements of kLanes counters, four words each.
  CORTADO_INLINE void draw(const RandomStream& random, int64_t block) const {
    Vi word[4] = {wrapping_add(splat(static_cast<int32_t>(block * kLanes)), iota()),
                  splat(static_cast<int32_t>(random.run[0])), splat(static_cast<int32_t>(random.stream)),
                  splat(static_cast<int32_t>(random.run[1]))};
    philox(word, random.key[0], random.key[1]);
    // From the same word of all counters to the words of one counter after the other.
    const AllLanes all{};
    const Vf a = from_bits(word[0]), b = from_bits(word[1]), c = from_bits(word[2]), d = from_bits(word[3]);
    const Vf even[2] = {interleave<0>(a, c, all), interleave<1>(a, c, all)};
    const Vf odd[2] = {interleave<0>(b, d, all), interleave<1>(b, d, all)};
    const int64_t at = block * kBlock;
    for (int half = 0; half < 2; ++half) {
      keep(at + 2 * half * kLanes, interleave<0>(even[half], odd[half], all));
      keep(at + (2 * half + 1) * kLanes, interleave<1>(even[half], odd[half], all));
    }
  }

  CORTADO_INLINE void keep(int64_t at, Vf words) const {
    const int64_t lanes = n - at < kLanes ? n - at : kLanes;
    if (lanes <= 0) return;
    constexpr auto kSign = static_cast<int32_t>(0x80000000);  // comparisons are those of numbers with a sign
    const Vi drop = (bits(words) ^ kSign) < splat(static_cast<int32_t>(dropped) ^ kSign);
    store_lanes(y + at, select(drop, zero(), load_lanes(x + at, lanes) * scale), lanes);
  }
};

}  // namespace cortado::CORTADO_ISA
