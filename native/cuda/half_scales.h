// Scales that let float16 hold two tensors and the sums of their products. float16 ends at 65504 and loses digits below
// 6e-5, so each tensor is brought by a power of two to where no sum of `depth` products can pass 2^15, and the result
// is brought back: no gradient is too small for it, and none overflows. Where one of them is float16 already and is to
// be read where it lies, the other alone is brought to where the sums fit.
#pragma once

#include "launch.h"

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

}  // namespace cortado::cuda
