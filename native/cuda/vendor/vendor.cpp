#include "vendor.h"

#include <algorithm>

#include "../../core/error.h"
#include "search.h"

namespace cortado::cuda {

namespace {

/// Bytes a millisecond that the memory of a GPU moves by its data sheet.
double memory_rate(int index) {
  int kilohertz = 0, bits = 0;
  check(cudaDeviceGetAttribute(&kilohertz, cudaDevAttrMemoryClockRate, index), "cudaDeviceGetAttribute");
  check(cudaDeviceGetAttribute(&bits, cudaDevAttrGlobalMemoryBusWidth, index), "cudaDeviceGetAttribute");
  // Twice a clock.
  return std::max(2.0 * kilohertz * bits / 8, 1.0);
}

size_t cache_size(int index) {
  int bytes = 0;
  check(cudaDeviceGetAttribute(&bytes, cudaDevAttrL2CacheSize, index), "cudaDeviceGetAttribute");
  return static_cast<size_t>(bytes);
}

/// Bytes of a convolution's image, weight, features, bias and workspace, in the order of Operand.
std::vector<size_t> bytes_of(const ConvolutionShape& s, size_t workspace) {
  const size_t width = s.halves() ? 2 : 4;
  std::vector<size_t> bytes;
  for (const int64_t numbers :
       {s.image_size(), s.weight_size(), s.features_size(), s.bias ? s.groups * s.filters : int64_t{0}})
    bytes.push_back(static_cast<size_t>(numbers) * width);
  bytes.push_back(workspace);
  return bytes;
}

/// Buffers of a stopwatch that times convolutions.
enum Operand : size_t { kImageAt, kWeightAt, kFeaturesAt, kBiasAt, kWorkspaceAt };
ConvolutionTensors tensors_in(const Stopwatch& watch) {
  return {watch.buffer(kImageAt), watch.buffer(kWeightAt), watch.buffer(kBiasAt), watch.buffer(kFeaturesAt),
          watch.buffer(kWorkspaceAt)};
}
size_t result_of(Pass pass) { return pass == Pass::image ? kImageAt : pass == Pass::weight ? kWeightAt : kFeaturesAt; }

/// Whether the numbers are `wanted` but for rounding of float32, which stays far below this share of the largest.
bool agree(const std::vector<float>& got, const std::vector<float>& wanted) {
  constexpr float kShare = 1e-5f;
  float largest = 0, difference = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    largest = std::max(largest, std::abs(wanted[i]));
    const float d = std::abs(got[i] - wanted[i]);
    if (!(d <= difference)) difference = d;  // NaN, too
  }
  return difference <= kShare * largest;
}

template <class Plan>
size_t largest_workspace(const std::vector<Plan>& plans) {
  size_t most = 0;
  for (const Plan& plan : plans) most = std::max(most, plan.workspace());
  return most;
}

/// Leaves those plans of a convolution that compute what our own kernel does; none of them where there is no memory to
/// see: right numbers come before fast ones.
template <class Plan, class Run>
void leave_right_ones(std::vector<Plan>& plans, const ConvolutionShape& shape, const Vendor::OwnConvolution& own,
                      const Run& run) {
  constexpr size_t kMost = size_t{1} << 20;
  bool seen = false;
  where_room_is([&] {
    const std::vector<size_t> bytes = bytes_of(shape, std::max(own.workspace, largest_workspace(plans)));
    const Stopwatch watch(bytes);
    const size_t at = result_of(shape.pass), count = std::min(bytes[at] / sizeof(float), kMost);
    const auto wanted =
        watch.result([&](cudaStream_t stream) { own.run(stream, shape, tensors_in(watch)); }, at, count);
    if (!wanted) return;  // a GPU that starts no kernel
    std::erase_if(plans, [&](const Plan& plan) {
      const auto got = watch.result([&](cudaStream_t stream) { run(plan, watch, stream); }, at, count);
      return got && !agree(*got, *wanted);
    });
    seen = true;
  });
  if (!seen) plans.clear();
}

/// One of several ways of our own.
struct NumberedWay {
  size_t number;
  const Vendor::Way* way;

  std::string describe() const { return way->name; }
  size_t workspace() const { return way->own.workspace; }
};

}  // namespace

Vendor::Vendor(int index, std::string gpu, const OpenOptions& options)
    : index_(index),
      gpu_(std::move(gpu)),
      bytes_per_millisecond_(memory_rate(index)),
      cache_(cache_size(index)),
      cudnn_(options.cudnn),
      cublaslt_(options.cublaslt),
      store_(options.plans) {}

std::vector<LibraryFound> Vendor::found() const {
  return {{"cuDNN", cudnn_.path(), cudnn_.problem(), cudnn_.version()},
          {"cuBLASLt", cublaslt_.path(), cublaslt_.problem(), cublaslt_.version()}};
}

const Found<Convolution>* Vendor::convolution(const ConvolutionShape& shape, const OwnConvolution& own) {
  if (!cudnn_.usable()) return nullptr;
  const std::lock_guard lock(mutex_);
  use();
  const std::string key = shape.text();
  auto found = convolutions_.find(key);
  if (found == convolutions_.end()) found = convolutions_.emplace(key, plan(shape, key, own)).first;
  return found->second ? &*found->second : nullptr;
}

float Vendor::moving(size_t bytes) const {
  constexpr double kStart = 0.002;
  return static_cast<float>(kStart + static_cast<double>(bytes) / bytes_per_millisecond_);
}

/// Libraries work for the GPU that is the calling thread's.
void Vendor::use() const {
  const cudaError_t status = cudaSetDevice(index_);
  if (status != cudaSuccess) fail("DEVICE", "cudaSetDevice answered %d (%s)", status, cudaGetErrorName(status));
}

std::string Vendor::place_of(const Library& library, const char* name, const std::string& key) const {
  return name + (' ' + std::to_string(library.version())) + ", " + gpu_ + ", " + key;
}

std::optional<Found<Convolution>> Vendor::plan(const ConvolutionShape& shape, const std::string& key,
                                               const OwnConvolution& own) {
  const Target target{cudnn_.handle(), nullptr};
  const auto run = [&](const Convolution& plan, const Stopwatch& watch, cudaStream_t stream) {
    plan.run(cudnn_, target.handle, stream, tensors_in(watch));
  };
  return search<Convolution>(
      store_, place_of(cudnn_, "cuDNN", key),
      [&](const std::string& text) { return Convolution::restore(cudnn_, target, shape, text); },
      [&] {
        std::vector<Convolution> plans = Convolution::candidates(cudnn_, target, shape);
        if (shape.precision == Precision::f32 && !plans.empty()) leave_right_ones(plans, shape, own, run);
        return plans;
      },
      [&](const std::vector<Convolution>& plans) {
        return fastest(plans, bytes_of(shape, largest_workspace(plans)), run);
      });
}

std::optional<Found<size_t>> Vendor::fastest_of(const ConvolutionShape& shape, const OwnConvolution& direct,
                                                const std::vector<Way>& ways) {
  const std::lock_guard lock(mutex_);
  use();
  std::string key = shape.text() + ", own " + std::to_string(ConvolutionShape::kOwnVersion) + ':';
  for (const Way& way : ways) key += ' ' + way.name + ';';
  auto found = ways_.find(key);
  if (found == ways_.end()) found = ways_.emplace(key, plan(shape, key, direct, ways)).first;
  return found->second;
}

std::optional<Found<size_t>> Vendor::plan(const ConvolutionShape& shape, const std::string& key,
                                          const OwnConvolution& direct, const std::vector<Way>& ways) {
  std::vector<NumberedWay> all;
  for (const Way& way : ways) all.push_back({all.size(), &way});
  const auto run = [&](const NumberedWay& plan, const Stopwatch& watch, cudaStream_t stream) {
    plan.way->own.run(stream, shape, tensors_in(watch));
  };
  const auto found = search<NumberedWay>(
      store_, place_of(cublaslt_, "cuBLASLt", key),
      [&](const std::string& text) -> std::optional<NumberedWay> {
        for (const NumberedWay& plan : all)
          if (plan.describe() == text) return plan;
        return std::nullopt;
      },
      [&] {
        std::vector<NumberedWay> plans = all;
        leave_right_ones(plans, shape, direct, run);
        return plans;
      },
      [&](const std::vector<NumberedWay>& plans) {
        return fastest(plans, bytes_of(shape, largest_workspace(plans)), run);
      });
  if (!found) return std::nullopt;
  return Found<size_t>{found->plan.number, found->milliseconds};
}

std::optional<Gemm> Vendor::plan(const GemmShape& shape, const std::string& key) {
  const auto time = [&](const std::vector<Gemm>& plans) {
    const auto bytes = [](int64_t numbers) { return static_cast<size_t>(numbers) * sizeof(float); };
    return fastest(plans,
                   {bytes(shape.batch * shape.rows * shape.whole()), bytes(shape.batch * shape.columns * shape.whole()),
                    bytes(shape.rows), bytes(shape.batch * shape.rows * shape.columns), largest_workspace(plans)},
                   [&](const Gemm& plan, const Stopwatch& watch, cudaStream_t stream) {
                     const auto floats = [&](size_t i) { return static_cast<float*>(watch.buffer(i)); };
                     plan.run(cublaslt_, stream, floats(0), floats(1), floats(2), floats(3), watch.buffer(4));
                   });
  };
  auto found = search<Gemm>(
      store_, place_of(cublaslt_, "cuBLASLt", key),
      [&](const std::string& text) { return Gemm::restore(cublaslt_, shape, text); },
      [&] { return Gemm::candidates(cublaslt_, shape); }, time);
  if (!found) return std::nullopt;
  return std::move(found->plan);
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
  if (!chosen->plan.library) return std::nullopt;
  return call;
}

void Vendor::run(const Convolution& convolution, cudaStream_t stream, const ConvolutionTensors& tensors) {
  const std::lock_guard lock(mutex_);
  convolution.run(cudnn_, cudnn_.handle(), stream, tensors);
}

void Vendor::run(const Gemm& gemm, cudaStream_t stream, const void* a, const void* b, const float* bias, void* d,
                 void* workspace, bool more) {
  const std::lock_guard lock(mutex_);
  gemm.run(cublaslt_, stream, a, b, bias, d, workspace, more);
}

void Vendor::run(const LrnCall& lrn, cudaStream_t stream, const float* x, float* y) {
  const std::lock_guard lock(mutex_);
  lrn.run(cudnn_, cudnn_.handle(), stream, x, y);
}

}  // namespace cortado::cuda
