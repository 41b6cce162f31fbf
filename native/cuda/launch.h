// How kernels of a GPU are written and started. A kernel is a function object: its members are what it is given, and
// operator() is one element's, or one block's, work.
#pragma once

#include <cuda_runtime.h>

#include "../core/kernel.h"
#include "runtime/check.h"

namespace cortado::cuda {

/// What a kernel is given each time it runs.
struct Launch {
  cudaStream_t stream;
  void* scratch;
  /// Work that must not happen once this number on the device is not 0; may be absent.
  const int32_t* halt;
};

/// Threads of a block. Kernels that work in blocks rely on it.
constexpr int kBlock = 256;

namespace detail {

/// More blocks than this only wait for each other: every GPU so far has less than 256 multiprocessors.
constexpr int64_t kMostBlocks = 4096;

template <class I, class F>
__global__ void __launch_bounds__(kBlock) each(const __grid_constant__ F f, int64_t n, const int32_t* halt) {
  if (halt && *halt) return;
  const I end = static_cast<I>(n), step = static_cast<I>(gridDim.x) * kBlock;
  for (I i = static_cast<I>(blockIdx.x) * kBlock + static_cast<I>(threadIdx.x); i < end; i += step) f(i);
}

/// How many blocks of a kernel a multiprocessor is to have room for, which bounds their registers: its kResident, or 0
/// where it does not say.
template <class F>
constexpr int resident() {
  if constexpr (requires { F::kResident; }) return F::kResident;
  return 0;
}

template <class F>
__global__ void __launch_bounds__(kBlock, resident<F>())
    blocks(const __grid_constant__ F f, int64_t n, const int32_t* halt) {
  if (halt && *halt) return;
  for (int64_t block = blockIdx.x; block < n; block += gridDim.x) {
    f(block);
    __syncthreads();  // shared memory is free for the next
  }
}

template <class F>
void start(const Launch& launch, void (*kernel)(F, int64_t, const int32_t*), int64_t grid, const F& f, int64_t n) {
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(grid < kMostBlocks ? grid : kMostBlocks));
  config.blockDim = dim3(kBlock);
  config.stream = launch.stream;
  check(cudaLaunchKernelEx(&config, kernel, f, n, launch.halt), "cudaLaunchKernelEx");
}

}  // namespace detail

/// f(i) for every i in [0, n), in any order. An index of 32 bits is for a countable n.
template <class I = int64_t, class F>
void for_each(const Launch& launch, int64_t n, const F& f) {
  if (n > 0) detail::start(launch, detail::each<I, F>, (n + kBlock - 1) / kBlock, f, n);
}

/// Whether an index of 32 bits counts to `most`, with the stride of the largest grid to spare. A GPU has neither
/// additions nor divisions of 64: what has a general kernel beside it need not be compiled for both.
constexpr bool countable(int64_t most) { return most <= INT32_MAX - detail::kMostBlocks * kBlock; }

/// f(I()) for the type of index that counts to `most`: 32 bits where they do. On the simulated GPU to little, so that
/// tests meet both.
template <class F>
void with_index(int64_t most, const F& f) {
#if defined(CORTADO_CUDA_SIM)
  const bool narrow = most <= 1000;
#else
  const bool narrow = countable(most);
#endif
  if (narrow) {
    f(int32_t());
  } else {
    f(int64_t());
  }
}

/// f(block) on a whole block of threads for every block in [0, n), in any order. Its threads may share memory.
template <class F>
void for_blocks(const Launch& launch, int64_t n, const F& f) {
  if (n > 0) detail::start(launch, detail::blocks<F>, n, f, n);
}

/// What `combine` makes of the values of all threads of a block; the same in every thread, in the same order always.
template <class T, class Combine>
__device__ T over_block(T value, const Combine& combine) {
  __shared__ T part[kBlock / 32];
  for (int distance = 16; distance > 0; distance /= 2) {
    value = combine(value, __shfl_xor_sync(~0u, value, distance));
  }
  __syncthreads();  // the last call's parts have been read
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = value;
  __syncthreads();
  T total = part[0];
  for (int warp = 1; warp < kBlock / 32; ++warp) total = combine(total, part[warp]);
  return total;
}

struct Add {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
/// The larger one; a number rather than a NaN.
struct Larger {
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

}  // namespace cortado::cuda
