// The search for what is not finite.
#pragma once

#include "../kernels/checks.h"
#include "../kernels/formula.h"
#include "layouts.h"
#include "packs.h"
#include "together.h"

namespace cortado::cuda {

/// A tensor of numbers of any type, read for the bits of its largest magnitude as a float: as integers these are in
/// order, with infinity and NaN above all others.
struct Magnitudes {
  const void* data = nullptr;
  int64_t n = 0;
  DType type = DType::f32;

  __host__ __device__ int64_t packs() const {
    const int size = type == DType::f32 ? Pack<float>::kSize : Pack<Brain>::kSize;
    return (n + size - 1) / size;
  }
  /// Of this thread's share of packs [begin, end), which the block's threads read side by side.
  __device__ int32_t largest(int64_t begin, int64_t end) const {
    if (type == DType::bf16) return largest_of(static_cast<const Brain*>(data), begin, end);
    if (type == DType::f16) return largest_of(static_cast<const Half*>(data), begin, end);
    return largest_of(static_cast<const float*>(data), begin, end);
  }

 private:
  template <class T>
  __device__ int32_t largest_of(const T* x, int64_t begin, int64_t end) const {
    int32_t most = 0;
    for (int64_t q = begin + threadIdx.x; q < end; q += kBlock) {
      const Pack<T> pack = load_pack(x, q, n);
      for (int j = 0; j < Pack<T>::kSize; ++j) {
        const auto bits = static_cast<int32_t>(bits_of(pack.v[j]) & 0x7fffffff);
        most = bits > most ? bits : most;
      }
    }
    return most;
  }
};

struct LargerBits {
  __device__ int32_t operator()(int32_t a, int32_t b) const { return a > b ? a : b; }
};

/// y (1, i32) = 1 when some element of x is NaN or infinite, else 0. Where x is a sum of `terms` products of an element
/// of input 1 and one of input 2, it is only looked at if these are large enough for infinity: the gradient of a dense
/// layer's weight is much larger than both.
struct NonFinite : TakesAlike {
  /// Parts of a factor, at most, each with a largest magnitude of its own in scratch memory.
  static constexpr int64_t kParts = 128;
  Magnitudes x, factor[2];
  int32_t* flag;
  double terms = 0;  // of a product

  explicit NonFinite(Prepare& step) : x(magnitudes(step, 0)), flag(step.out(0).i32()) {
    step.expect(holds(step.out(0), 1, DType::i32), "a flag");
    step.scratch(static_cast<size_t>(kTogether * 2 * kParts) * sizeof(int32_t));
    if (step.inputs() == 1) return;
    for (int i = 0; i < 2; ++i) factor[i] = magnitudes(step, 1 + i);
    terms = step.number("terms");
  }
  void run(const Launch& launch) const {
    const void* const self = this;
    run_together(&self, 1, launch);
  }
  /// Two launches for all of them.
  static void run_together(const void* const* prepared, int count, const Launch& launch);

  /// So many blocks read a factor, each its part: by its size alone.
  __host__ __device__ int64_t parts(int i) const {
    const int64_t wanted = (factor[i].n + 8191) / 8192;
    return wanted < kParts ? wanted : kParts;
  }

 private:
  static constexpr int kTogether = 32;
  static Magnitudes magnitudes(Prepare& step, int input) {
    const Tensor tensor = step.in(input);
    step.expect(holds_numbers(tensor, tensor.size()), "numbers of any type");
    return {tensor.data, tensor.size(), tensor.dtype};
  }
};

/// First: the largest magnitudes of the parts of factors. Lowers the flag.
struct LargestOfFactors {
  NonFinite s;
  int32_t* largest;  // (2, kParts)

  int64_t blocks() const { return s.terms > 0 ? s.parts(0) + s.parts(1) : 1; }
  __device__ void operator()(int64_t block) const {
    if (block == 0 && threadIdx.x == 0) *s.flag = 0;
    if (s.terms == 0) return;
    const int side = block < s.parts(0) ? 0 : 1;
    const int64_t part = side == 0 ? block : block - s.parts(0), parts = s.parts(side);
    const Magnitudes& factor = s.factor[side];
    const int32_t own = factor.largest(factor.packs() * part / parts, factor.packs() * (part + 1) / parts);
    const int32_t most = over_block(own, LargerBits());
    if (threadIdx.x == 0) largest[side * NonFinite::kParts + part] = most;
  }
};

/// Then: the look at what may have become too large. Raises the flag; whoever writes, it is the same number.
struct LookForNonFinite {
  NonFinite s;
  const int32_t* largest;

  /// Enough to be busy with a large tensor, few where it is left alone.
  __host__ __device__ int64_t blocks() const {
    const int64_t wanted = (s.x.packs() + 1023) / 1024;
    return wanted < 512 ? wanted : 512;
  }
  __device__ void operator()(int64_t block) const {
    constexpr double kSafe = 1e38;  // a third of the largest float: rounding adds far less
    constexpr int32_t kInfinity = 0x7f800000;
    if (s.terms > 0) {
      const double a = magnitude(0), b = magnitude(1);
      if (s.terms * a * b < kSafe) return;  // false for NaN
    }
    const int64_t packs = s.x.packs(), all = blocks();
    if (s.x.largest(packs * block / all, packs * (block + 1) / all) >= kInfinity) *s.flag = 1;
  }

 private:
  __device__ double magnitude(int side) const {
    static_assert(NonFinite::kParts <= kBlock);
    const int64_t part = threadIdx.x;
    const int32_t own = part < s.parts(side) ? largest[side * NonFinite::kParts + part] : 0;
    return static_cast<double>(float_of(static_cast<uint32_t>(over_block(own, LargerBits()))));
  }
};

inline void NonFinite::run_together(const void* const* prepared, int count, const Launch& launch) {
  using First = Together<LargestOfFactors>;
  using Then = Together<LookForNonFinite>;
  static_assert(First::kMost >= kTogether && Then::kMost >= kTogether);
  for (int from = 0; from < count; from += kTogether) {
    First first{};
    Then then{};
    for (int i = from; i < count && i < from + kTogether; ++i) {
      const auto& one = *static_cast<const NonFinite*>(prepared[i]);
      auto* const largest = static_cast<int32_t*>(launch.scratch) + (i - from) * 2 * kParts;
      const LargestOfFactors factors{one, largest};
      const LookForNonFinite look{one, largest};
      first.add(factors, factors.blocks());
      then.add(look, look.blocks());
    }
    for_blocks(launch, first.size(), first);
    for_blocks(launch, then.size(), then);
  }
}

}  // namespace cortado::cuda
