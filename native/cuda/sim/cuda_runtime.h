// A GPU that is not there: what our CUDA sources use of CUDA, for a C++ compiler and a CPU. Included in place of
// NVIDIA's header of this name, so that the same sources, host code and kernels, run anywhere, under sanitizers.
//
// Kernels run one after the other, block by block; a block's threads are fibers, which give way to each other only at
// barriers, shuffles and votes, in one of two orders. Streams are queues with a thread each, and with a clock each that
// events read: it counts what work says that it takes, the same in every run. Not simulated: memory models, races
// between warps, performance.
#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <functional>
#include <tuple>

#define CORTADO_CUDA_SIM 1

// ---- The language

#define __global__
#define __device__
#define __host__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
// One kernel runs at a time. AddressSanitizer puts red zones around such variables.
#define __shared__ static

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};

namespace cortado::sim {

/// Where the running thread is.
struct Here {
  uint3 thread_index, block_index;
  dim3 block_extent, grid_extent;
};
Here& here();

/// Waits for the whole block, or for the lanes of a mask.
void block_barrier();
void warp_barrier(unsigned mask);
/// Gives `value` (at most 8 bytes) away and returns that of lane `source`.
uint64_t exchange(unsigned mask, uint64_t value, unsigned source);
unsigned vote(unsigned mask, bool value);
unsigned lane();

template <class T>
T shuffle(unsigned mask, T value, unsigned source) {
  static_assert(sizeof(T) <= sizeof(uint64_t));
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof value);
  bits = exchange(mask, bits, source);
  memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace cortado::sim

inline const uint3 &threadIdx = cortado::sim::here().thread_index, &blockIdx = cortado::sim::here().block_index;
inline const dim3 &blockDim = cortado::sim::here().block_extent, &gridDim = cortado::sim::here().grid_extent;

inline void __syncthreads() { cortado::sim::block_barrier(); }
inline void __syncwarp(unsigned mask = ~0u) { cortado::sim::warp_barrier(mask); }
template <class T>
T __shfl_sync(unsigned mask, T value, unsigned source) {
  return cortado::sim::shuffle(mask, value, source % 32);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, unsigned lanes) {
  return cortado::sim::shuffle(mask, value, cortado::sim::lane() ^ lanes);
}
#define rsqrtf(x) (1.0f / sqrtf(x))  // newer C libraries have one, as precise
inline unsigned __ballot_sync(unsigned mask, bool value) { return cortado::sim::vote(mask, value); }

// ---- The runtime, as the CUDA Runtime API describes it

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidDevice = 101,
  cudaErrorECCUncorrectable = 214,
  cudaErrorNotReady = 600,
  cudaErrorIllegalAddress = 700,
  cudaErrorLaunchTimeout = 702,
  cudaErrorAssert = 710,
  cudaErrorHardwareStackError = 714,
  cudaErrorIllegalInstruction = 715,
  cudaErrorMisalignedAddress = 716,
  cudaErrorInvalidAddressSpace = 717,
  cudaErrorInvalidPc = 718,
  cudaErrorLaunchFailure = 719,
  cudaErrorStreamCaptureInvalidated = 901,
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeRelaxed = 2 };
constexpr unsigned cudaStreamNonBlocking = 1, cudaEventDefault = 0;
constexpr unsigned cudaEventBlockingSync = 1, cudaEventDisableTiming = 2;
constexpr unsigned cudaHostAllocPortable = 1;
enum cudaMemAllocationType { cudaMemAllocationTypePinned = 1 };
enum cudaMemLocationType { cudaMemLocationTypeDevice = 1 };
struct cudaMemPoolProps {
  cudaMemAllocationType allocType;
  struct {
    cudaMemLocationType type;
    int id;
  } location;
};
enum cudaMemPoolAttr {
  cudaMemPoolReuseAllowInternalDependencies = 3,
  cudaMemPoolAttrReleaseThreshold = 4,
  cudaMemPoolAttrUsedMemCurrent = 7
};

namespace cortado::sim {
struct Stream;
struct Event;
struct Graph;
struct Pool;
}  // namespace cortado::sim
using cudaStream_t = cortado::sim::Stream*;
using cudaEvent_t = cortado::sim::Event*;
using cudaGraph_t = cortado::sim::Graph*;
using cudaGraphExec_t = cortado::sim::Graph*;
using cudaMemPool_t = cortado::sim::Pool*;

cudaError_t cudaGetLastError();
const char* cudaGetErrorName(cudaError_t);
const char* cudaGetErrorString(cudaError_t);
cudaError_t cudaDriverGetVersion(int*);
cudaError_t cudaRuntimeGetVersion(int*);
cudaError_t cudaGetDeviceCount(int*);
struct cudaDeviceProp {
  char name[256];
};
cudaError_t cudaGetDeviceProperties(cudaDeviceProp*, int);
enum cudaDeviceAttr { cudaDevAttrMemoryClockRate, cudaDevAttrGlobalMemoryBusWidth, cudaDevAttrL2CacheSize };
cudaError_t cudaDeviceGetAttribute(int*, cudaDeviceAttr, int);
cudaError_t cudaSetDevice(int);
cudaError_t cudaMemGetInfo(size_t* free, size_t* total);
cudaError_t cudaMalloc(void**, size_t);
cudaError_t cudaFree(void*);
cudaError_t cudaMemPoolCreate(cudaMemPool_t*, const cudaMemPoolProps*);
cudaError_t cudaMemPoolDestroy(cudaMemPool_t);
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void* value);
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t, cudaMemPoolAttr, void* value);
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, size_t);
cudaError_t cudaMallocFromPoolAsync(void**, size_t, cudaMemPool_t, cudaStream_t);
cudaError_t cudaFreeAsync(void*, cudaStream_t);
cudaError_t cudaHostAlloc(void**, size_t, unsigned);
cudaError_t cudaFreeHost(void*);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t);
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t*, unsigned);
cudaError_t cudaStreamDestroy(cudaStream_t);
cudaError_t cudaStreamSynchronize(cudaStream_t);
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned);
cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode);
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t*);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t*, unsigned);
cudaError_t cudaEventDestroy(cudaEvent_t);
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t);
cudaError_t cudaEventSynchronize(cudaEvent_t);
cudaError_t cudaEventQuery(cudaEvent_t);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t*, cudaGraph_t, unsigned long long);
cudaError_t cudaGraphLaunch(cudaGraphExec_t, cudaStream_t);
cudaError_t cudaGraphDestroy(cudaGraph_t);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t);

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
};

namespace cortado::sim {
cudaError_t launch(const cudaLaunchConfig_t& config, std::function<void()> kernel);
/// Puts anything on a stream.
cudaError_t enqueue(cudaStream_t stream, std::function<void()> work);
/// Says, from work on a stream, what time it takes of the GPU.
void spend(double nanoseconds);
}  // namespace cortado::sim

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  return cortado::sim::launch(
      *config, [kernel, values = std::tuple<Parameters...>(arguments...)] { std::apply(kernel, values); });
}
