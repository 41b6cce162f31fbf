#pragma once

#include <cuda_runtime.h>
#include <stdint.h>

#include <vector>

namespace cortado::cuda {

/// A result on its way to pinned memory of the host.
struct ResultCopy {
  const void* from;
  uint8_t* to;
  size_t bytes;
};

/// Puts the copies on the stream. Small results, of which a training step has one for each guard, are written by one
/// kernel: the GPU reaches pinned memory by itself, and a copy of four bytes costs as much as one of ten thousand.
void copy_results(const std::vector<ResultCopy>& copies, cudaStream_t stream);

/// Puts a copy from one place in the GPU's memory to another on the stream.
void copy_within(uint8_t* to, const uint8_t* from, size_t bytes, cudaStream_t stream);

}  // namespace cortado::cuda
