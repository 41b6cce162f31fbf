#pragma once

#include "runtime/owned.h"

namespace cortado::cuda {

/// The memory of one GPU that this process has taken: blocks are taken and given back in the order of streams
/// (CUDA Runtime API, "Stream Ordered Memory Allocator"), so that neither waits for the GPU.
class Pool {
 public:
  explicit Pool(int device);

  /// At least one byte, there for every stream; cudaFreeAsync() gives it back. When there is no more, waits for what
  /// `frees` still has to give back. Throws Error OUT_OF_MEMORY.
  uint8_t* take(size_t bytes, cudaStream_t frees) const;

 private:
  cudaError_t try_to_take(size_t bytes, void** data) const;
  /// Has the process keep some memory beyond what is in use.
  void keep_spare() const;

  OwnedPool pool_;
  OwnedStream stream_;  // nothing else is on it: what it allocates is there at once
};

}  // namespace cortado::cuda
