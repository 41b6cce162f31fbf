#include "vendor.h"

#include <algorithm>

#include "../../core/error.h"
#include "search.h"

namespace cortado::cuda {

namespace {

template <class Plan>
size_t largest_workspace(const std::vector<Plan>& plans) {
  size_t most = 0;
  for (const Plan& plan : plans) most = std::max(most, plan.workspace());
  return most;
}

}  // namespace

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

std::string Vendor::place_of(const Library& library, const char* name, const std::string& key) const {
  return name + (' ' + std::to_string(library.version())) + ", " + gpu_ + ", " + key;
}

std::optional<Convolution> Vendor::plan(const ConvolutionShape& shape, const std::string& key) {
  const Target target{cudnn_.handle(), nullptr};
  const auto time = [&](const std::vector<Convolution>& plans) {
    const size_t width = shape.halves() ? 2 : 4;
    const auto bytes = [width](int64_t numbers) { return static_cast<size_t>(numbers) * width; };
    return fastest(plans,
                   {bytes(shape.image_size()), bytes(shape.weight_size()), bytes(shape.features_size()),
                    bytes(shape.bias ? shape.groups * shape.filters : 0), largest_workspace(plans)},
                   [&](const Convolution& plan, const Stopwatch& watch, cudaStream_t stream) {
                     plan.run(cudnn_, target.handle, stream,
                              {watch.buffer(0), watch.buffer(1), watch.buffer(3), watch.buffer(2), watch.buffer(4)});
                   });
  };
  return search<Convolution>(
      store_, place_of(cudnn_, "cuDNN", key),
      [&](const std::string& text) { return Convolution::restore(cudnn_, target, shape, text); },
      [&] { return Convolution::candidates(cudnn_, target, shape); }, time);
}

std::optional<Gemm> Vendor::plan(const GemmShape& shape, const std::string& key) {
  const auto time = [&](const std::vector<Gemm>& plans) {
    const auto bytes = [](int64_t numbers) { return static_cast<size_t>(numbers) * sizeof(float); };
    return fastest(plans,
                   {bytes(shape.rows * shape.depth), bytes(shape.depth * shape.columns), bytes(shape.rows),
                    bytes(shape.rows * shape.columns), largest_workspace(plans)},
                   [&](const Gemm& plan, const Stopwatch& watch, cudaStream_t stream) {
                     const auto floats = [&](size_t i) { return static_cast<float*>(watch.buffer(i)); };
                     plan.run(cublaslt_, stream, floats(0), floats(1), floats(2), floats(3), watch.buffer(4));
                   });
  };
  return search<Gemm>(
      store_, place_of(cublaslt_, "cuBLASLt", key),
      [&](const std::string& text) { return Gemm::restore(cublaslt_, shape, text); },
      [&] { return Gemm::candidates(cublaslt_, shape); }, time);
}

const Gemm* Vendor::gemm(const GemmShape& shape) {
  if (!cublaslt_.usable()) return nullptr;
  const std::lock_guard lock(mutex_);
  use();
  const std::string key = shape.text();
  auto found = gemms_.find(key);
  if (found == gemms_.end()) found = gemms_.emplace(key, plan(shape, key)).first;
  return found->second ? &*found->second : nullptr;
}

const LrnCall* Vendor::lrn(const LrnShape& shape, const OwnLrn& own) {
  if (!cudnn_.usable() || !shape.offered()) return nullptr;
  const std::lock_guard lock(mutex_);
  use();
  const std::string key = shape.text();
  auto found = lrns_.find(key);
  if (found == lrns_.end()) found = lrns_.emplace(key, plan(shape, key, own)).first;
  return found->second ? &*found->second : nullptr;
}

std::optional<LrnCall> Vendor::plan(const LrnShape& shape, const std::string& key, const OwnLrn& own) {
  LrnCall call(cudnn_, shape);
  const auto bytes = static_cast<size_t>(shape.bytes());
  const auto run = [&](const Side& side, const Stopwatch& watch, cudaStream_t stream) {
    const auto floats = [&](size_t i) { return static_cast<float*>(watch.buffer(i)); };
    if (side.library) {
      call.run(cudnn_, cudnn_.handle(), stream, floats(0), floats(1));
    } else {
      own(stream, floats(0), floats(1));
    }
  };
  const std::string place = place_of(cudnn_, "cuDNN", key) + ", own " + std::to_string(LrnShape::kOwnVersion);
  const auto chosen = search<Side>(
      store_, place, Side::restore, [] { return std::vector{Side{false}, Side{true}}; },
      [&](const std::vector<Side>& sides) { return fastest(sides, {bytes, bytes}, run); });
  if (!chosen->library) return std::nullopt;
  return call;
}

void Vendor::run(const Convolution& convolution, cudaStream_t stream, const ConvolutionTensors& tensors) {
  const std::lock_guard lock(mutex_);
  convolution.run(cudnn_, cudnn_.handle(), stream, tensors);
}

void Vendor::run(const Gemm& gemm, cudaStream_t stream, const void* a, const void* b, const float* bias, void* d,
                 void* workspace) {
  const std::lock_guard lock(mutex_);
  gemm.run(cublaslt_, stream, a, b, bias, d, workspace);
}

void Vendor::run(const LrnCall& lrn, cudaStream_t stream, const float* x, float* y) {
  const std::lock_guard lock(mutex_);
  lrn.run(cudnn_, cudnn_.handle(), stream, x, y);
}

}  // namespace cortado::cuda
