// Scales that let float16 hold two tensors and the sums of their products. float16 ends at 65504 and loses digits below
// 6e-5, so each tensor is brought by a power of two to where no sum of `depth` products can pass 2^15, and the result
// is brought back: no gradient is too small for it, and none overflows. Where one of them is float16 already and is to
// be read where it lies, the other alone is brought to where the sums fit.
#pragma once

#include <math.h>

#include "launch.h"
#include "numbers.h"

namespace cortado::cuda {

/// Three factors in the GPU's memory: of the left tensor, the right one, and the result.
struct HalfScales {
  Tensor tensor[2];
  int64_t size[2], depth;
  bool stays[2];  // at most one of them
  float* memory;  // kBytes: the largest of each part of both tensors, then the factors

  static constexpr int64_t kMostParts = 128;
  static constexpr size_t kBytes = (2 * kMostParts + 3) * sizeof(float);

  /// Parts of a tensor, by its size alone.
  __host__ __device__ int64_t parts(int side) const {
    const int64_t wanted = (size[side] + 8191) / 8192;
    return wanted < kMostParts ? wanted : kMostParts;
  }
  __host__ __device__ float* largest(int side) const { return memory + side * kMostParts; }
  __host__ __device__ float* left() const { return memory + 2 * kMostParts; }
  __host__ __device__ float* right() const { return left() + 1; }
  __host__ __device__ float* result() const { return left() + 2; }
  void run(const Launch& launch) const;
};

template <class T>
struct LargestOfParts {
  const T* x;
  int64_t size, parts;
  float* to;

  __device__ void operator()(int64_t part) const {
    const int64_t end = size * (part + 1) / parts;
    float largest = 0;
    for (int64_t i = size * part / parts + threadIdx.x; i < end; i += kBlock)
      largest = fmaxf(largest, fabsf(widen(x[i])));
    largest = over_block(largest, Larger());
    if (threadIdx.x == 0) to[part] = largest;
  }
};

struct ScalesOfLargest {
  HalfScales s;

  __device__ void operator()(int64_t) const {
    int room = 15;
    for (int64_t terms = 1; terms < s.depth; terms *= 2) --room;
    int exponent[2] = {};  // each tensor is less than 2^exponent; infinity stays what it is
    for (int side = 0; side < 2; ++side) {
      float largest = threadIdx.x < s.parts(side) ? s.largest(side)[threadIdx.x] : 0.0f;
      largest = over_block(largest, Larger());
      if (largest > 0 && largest < INFINITY) frexpf(largest, &exponent[side]);
    }
    int total = 0;
    for (int side = 0; side < 2; ++side) {
      const int own = s.stays[1 - side] ? room - exponent[1 - side] : side == 0 ? room / 2 : room - room / 2;
      int shift = (own < 15 ? own : 15) - exponent[side];
      shift = s.stays[side] ? 0 : shift > 126 ? 126 : shift < -126 ? -126 : shift;
      if (threadIdx.x == 0) s.left()[side] = ldexpf(1.0f, shift);
      total += shift;
    }
    if (threadIdx.x == 0) *s.result() = ldexpf(1.0f, -total);
  }
};

inline void HalfScales::run(const Launch& launch) const {
  for (int side = 0; side < 2; ++side) {
    with_numbers(tensor[side].dtype, [&](auto number) {
      using T = decltype(number);
      for_blocks(launch, parts(side),
                 LargestOfParts<T>{numbers<T>(tensor[side]), size[side], parts(side), largest(side)});
    });
  }
  for_blocks(launch, 1, ScalesOfLargest{*this});
}

}  // namespace cortado::cuda
