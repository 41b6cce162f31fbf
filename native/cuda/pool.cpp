#include "pool.h"

#include "../core/error.h"

namespace cortado::cuda {

namespace {
/// Bytes that inputs, which come and go with each run, find again: otherwise the next wait for anything would return
/// them to the driver, which takes long to give them.
constexpr uint64_t kSpare = uint64_t{512} << 20;
}  // namespace

Pool::Pool(int device) : stream_(make_stream()) {
  cudaMemPoolProps properties{};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location.type = cudaMemLocationTypeDevice;
  properties.location.id = device;
  check(cudaMemPoolCreate(pool_.place(), &properties), "cudaMemPoolCreate");
  // A block that another stream is not through with yet is no block for us: to take it would be to wait.
  int never = 0;
  check(cudaMemPoolSetAttribute(pool_, cudaMemPoolReuseAllowInternalDependencies, &never), "cudaMemPoolSetAttribute");
}

uint8_t* Pool::take(size_t bytes, cudaStream_t frees) const {
  void* data = nullptr;
  cudaError_t status = try_to_take(bytes, &data);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    check(cudaStreamSynchronize(frees), "cudaStreamSynchronize");
    check(cudaMemPoolTrimTo(pool_, 0), "cudaMemPoolTrimTo");
    status = try_to_take(bytes, &data);
  }
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    fail("OUT_OF_MEMORY", "memory: expected at most the %zu bytes free of the GPU's %zu, got %zu", free, total, bytes);
  }
  check(status, "cudaMallocFromPoolAsync");
  keep_spare();
  return static_cast<uint8_t*>(data);
}

void Pool::keep_spare() const {
  uint64_t bytes = 0;
  check(cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrUsedMemCurrent, &bytes), "cudaMemPoolGetAttribute");
  bytes += kSpare;
  check(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &bytes), "cudaMemPoolSetAttribute");
}

cudaError_t Pool::try_to_take(size_t bytes, void** data) const {
  const cudaError_t status = cudaMallocFromPoolAsync(data, bytes > 0 ? bytes : 1, pool_, stream_);
  return status == cudaSuccess ? cudaStreamSynchronize(stream_) : status;
}

}  // namespace cortado::cuda
