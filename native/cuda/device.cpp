#include "device.h"

#include <string.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "../core/error.h"
#include "../core/executor.h"
#include "../core/job.h"
#include "copies.h"
#include "landing.h"
#include "pictures.h"
#include "pool.h"
#include "recording.h"
#include "runtime/ranges.h"
#include "staging.h"
#include "vendor/vendor.h"

namespace cortado::cuda {

namespace {

/// Memory out of the device's pool. It goes back when the stream has come to it, without waiting here.
class GpuMemory final : public Memory {
 public:
  GpuMemory(int device, Staging& staging, cudaStream_t stream, size_t bytes, uint8_t* data)
      : Memory(bytes, data), device_(device), staging_(staging), stream_(stream) {}
  ~GpuMemory() override {
    try {
      const Using use(device_);
      staging_.wait_on(stream_);
    } catch (const Error&) {
      // The GPU is lost, and its memory with it.
    }
    cudaFreeAsync(data(), stream_);
  }
  void write(size_t offset, size_t bytes, const Fill& fill) override {
    const Using use(device_);
    staging_.write(data() + offset, bytes, fill);
  }
  void write_pictures(size_t offset, const Normalization& normalization, const Pixels& pixels) override {
    const Using use(device_);
    const PackedPictures packed(normalization, pixels);
    float* to = reinterpret_cast<float*>(data() + offset);
    staging_.write_packed(
        packed.bytes(), [&](uint8_t* host, Threads& team) { packed.pack(host, team); },
        [&](const uint8_t* from, cudaStream_t stream) { packed.normalize(from, to, stream); });
  }

 private:
  int device_;
  Staging& staging_;
  cudaStream_t stream_;
};

size_t bytes_of(const Tensor& tensor) {
  return static_cast<size_t>(tensor.size()) * (tensor.dtype == DType::u8 ? 1 : sizeof(float));
}

/// Numbers of any type as floats.
void convert(const uint8_t* from, const Tensor& tensor, float* to) {
  const auto count = static_cast<size_t>(tensor.size());
  if (tensor.dtype == DType::f32) {
    memcpy(to, from, count * sizeof(float));
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    int32_t wide = 0;
    if (tensor.dtype == DType::i32) memcpy(&wide, from + i * sizeof wide, sizeof wide);
    to[i] = static_cast<float>(tensor.dtype == DType::i32 ? wide : from[i]);
  }
}

/// What tells a GPU from others of another make.
std::string name_of(int index) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
  return properties.name;
}

/// A job on its way through the GPU.
struct Flight {
  std::shared_ptr<Job> job;
  std::optional<Landing> landing;  // of a job that was put on the stream
  std::vector<OwnedEvent> marks;   // before the first step and after each, for profiles
};

/// One GPU. Runs are put on its stream by one thread, which does not wait for them, and handed back by another.
class CudaDevice final : public Device {
 public:
  CudaDevice(int index, const OpenOptions& options) : index_(index), vendor_(index, name_of(index), options) {
    const Using use(index_);
    pool_.emplace(index_);
    staging_.emplace(options.threads);
    stream_ = make_stream();
  }
  ~CudaDevice() override {
    cudaSetDevice(index_);
    cudaStreamSynchronize(stream_);
  }

  const KernelTable& kernels() const override { return cuda::kernels(); }

  std::unique_ptr<Memory> allocate(size_t bytes) override {
    const Using use(index_);
    uint8_t* data = pool_->take(bytes, stream_);
    return std::make_unique<GpuMemory>(index_, *staging_, stream_, bytes, data);
  }

  std::vector<LibraryFound> libraries() const override { return vendor_.found(); }
  Vendor& vendor() { return vendor_; }

  void submit(std::shared_ptr<Job> job) override {
    starter_.push([this, job = std::move(job)] {
      auto flight = std::make_shared<Flight>();
      flight->job = job;
      job->attempt([&] {
        const Using use(index_);
        start(*flight);
      });
      finisher_.push([this, flight] { end(*flight); });
    });
  }

 private:
  /// Puts a job's work on the stream.
  void start(Flight& flight) {
    Job& job = *flight.job;
    const Plan& plan = *job.plan;
    if (job.cancelled) return;
    const Range range("run");
    staging_->wait_on(stream_);
    for (const Copy& copy : job.copies) {
      const uint8_t* from = copy.from->data() + copy.from_offset;
      copy_within(copy.to->data() + copy.to_offset, from, copy.bytes, stream_);
    }
    if (!plan.recording()) plan.recording() = std::make_unique<GraphRecording>(plan);
    const auto& recording = static_cast<const GraphRecording&>(*plan.recording());
    if (job.profile) {
      for (size_t i = 0; i <= plan.steps().size(); ++i) flight.marks.push_back(make_event(cudaEventDefault));
      recording.launch(plan, stream_, flight.marks);
    } else if (ranges_are_watched()) {
      recording.launch(plan, stream_);
    } else {
      recording.replay(stream_);
    }
    size_t bytes = 0;
    for (const int index : job.outputs) bytes += bytes_of(plan.tensor(index));
    flight.landing = landings_.take(bytes);
    copy_results(*flight.landing, job);
    flight.landing->mark(stream_);
    job.finished = true;
  }

  void copy_results(const Landing& landing, const Job& job) {
    std::vector<ResultCopy> copies;
    uint8_t* to = landing.results();
    for (const int index : job.outputs) {
      const Tensor& tensor = job.plan->tensor(index);
      copies.push_back({tensor.data, to, bytes_of(tensor)});
      to += bytes_of(tensor);
    }
    cuda::copy_results(copies, stream_);
  }

  /// Waits for a job's work, and hands it back.
  void end(Flight& flight) {
    Job& job = *flight.job;
    job.attempt([&] {
      const Using use(index_);
      if (!job.finished || job.error) return;
      flight.landing->wait();
      const Plan& plan = *job.plan;
      const bool committed = plan.commit() < static_cast<int>(plan.steps().size());
      // A run that changes nothing may be dropped at any time.
      if (job.cancelled && !committed) {
        job.finished = false;
        return;
      }
      const uint8_t* from = flight.landing->results();
      for (const int index : job.outputs) {
        const Tensor& tensor = plan.tensor(index);
        job.results.push_back(Result::room(static_cast<size_t>(tensor.size())));
        convert(from, tensor, job.results.back().data.get());
        from += bytes_of(tensor);
      }
      for (size_t i = 1; i < flight.marks.size(); ++i) {
        float milliseconds = 0;
        check(cudaEventElapsedTime(&milliseconds, flight.marks[i - 1], flight.marks[i]), "cudaEventElapsedTime");
        job.milliseconds.push_back(static_cast<double>(milliseconds));
      }
    });
    // The GPU may still write where a run that failed was to arrive.
    if (flight.landing && !job.error) landings_.give(*std::move(flight.landing));
    flight.marks.clear();
    job.release();
    job.done();
  }

  int index_;
  std::optional<Pool> pool_;
  Vendor vendor_;
  std::optional<Staging> staging_;
  OwnedStream stream_;
  Landings landings_;
  Executor finisher_, starter_;  // last: their threads use the others; the starter ends first
};

}  // namespace

Vendor& vendor_of(Device& device) { return static_cast<CudaDevice&>(device).vendor(); }

std::shared_ptr<Device> open(int index, const OpenOptions& options) {
  static std::mutex mutex;
  static std::map<int, std::weak_ptr<Device>> registry;
  const std::lock_guard lock(mutex);
  std::shared_ptr<Device> device = registry[index].lock();
  if (!device) registry[index] = device = std::make_shared<CudaDevice>(index, options);
  return device;
}

}  // namespace cortado::cuda
