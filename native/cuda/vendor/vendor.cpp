#include "vendor.h"

#include "../../core/error.h"

namespace cortado::cuda {

Vendor::Vendor(int index, std::string gpu, const OpenOptions& options)
    : index_(index), gpu_(std::move(gpu)), cudnn_(options.cudnn), cublaslt_(options.cublaslt), store_(options.plans) {}

std::vector<LibraryFound> Vendor::found() const {
  return {{"cuDNN", cudnn_.path(), cudnn_.problem(), cudnn_.version()},
          {"cuBLASLt", cublaslt_.path(), cublaslt_.problem(), cublaslt_.version()}};
}

const Convolution* Vendor::convolution(const ConvolutionShape& shape) {
  if (!cudnn_.usable()) return nullptr;
  const std::lock_guard lock(mutex_);
  use();
  const std::string key = shape.text();
  auto found = convolutions_.find(key);
  if (found == convolutions_.end()) found = convolutions_.emplace(key, plan(shape, key)).first;
  return found->second ? &*found->second : nullptr;
}

/// Libraries work for the GPU that is the calling thread's.
void Vendor::use() const {
  const cudaError_t status = cudaSetDevice(index_);
  if (status != cudaSuccess) fail("DEVICE", "cudaSetDevice answered %d (%s)", status, cudaGetErrorName(status));
}

/// The plan that is kept on disk, or a new one, which then is.
std::optional<Convolution> Vendor::plan(const ConvolutionShape& shape, const std::string& key) {
  const Target target{cudnn_.handle(), nullptr};
  const std::string place = "cuDNN " + std::to_string(cudnn_.version()) + ", " + gpu_ + ", " + key;
  if (const auto kept = store_.load(place)) {
    if (auto restored = Convolution::restore(cudnn_, target, shape, *kept)) return restored;
  }
  auto chosen = Convolution::choose(cudnn_, target, shape);
  if (chosen) store_.save(place, chosen->describe());
  return chosen;
}

const Gemm* Vendor::gemm(const GemmShape& shape) {
  if (!cublaslt_.usable()) return nullptr;
  const std::lock_guard lock(mutex_);
  use();
  const std::string key = shape.text();
  auto found = gemms_.find(key);
  if (found == gemms_.end()) found = gemms_.emplace(key, Gemm::choose(cublaslt_, shape)).first;
  return found->second ? &*found->second : nullptr;
}

void Vendor::run(const Convolution& convolution, cudaStream_t stream, const ConvolutionTensors& tensors) {
  const std::lock_guard lock(mutex_);
  convolution.run(cudnn_, cudnn_.handle(), stream, tensors);
}

void Vendor::run(const Gemm& gemm, cudaStream_t stream, const void* a, const void* b, const float* bias, float* d,
                 void* workspace) {
  const std::lock_guard lock(mutex_);
  gemm.run(cublaslt_, stream, a, b, bias, d, workspace);
}

}  // namespace cortado::cuda
