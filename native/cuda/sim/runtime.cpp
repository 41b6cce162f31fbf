// The CUDA runtime's calls: memory is the host's, a stream is a queue with a thread, a graph a list of what was put on
// a stream meanwhile. What a program forgets to free ends it with a message.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "../../core/executor.h"
#include "answers.h"
#include "cuda_runtime.h"
#include "fibers.h"

namespace cortado::sim {

struct Graph {
  std::vector<std::function<void()>> work;
};

struct Stream {
  Executor executor;
  std::unique_ptr<Graph> capture;

  cudaError_t put(std::function<void()> work) {
    if (capture) {
      capture->work.push_back(std::move(work));
    } else {
      executor.push(std::move(work));
    }
    return cudaSuccess;
  }
};

/// Memory pools are the whole memory.
struct Pool {};

/// A place on a stream: how many were recorded, how many have been passed, and when the last was.
struct Event {
  std::mutex mutex;
  std::condition_variable passed;
  uint64_t recorded = 0, reached = 0;
  double when = 0;  // on the clock of its stream

  void wait(uint64_t number) {
    std::unique_lock lock(mutex);
    passed.wait(lock, [&] { return reached >= number; });
  }
};

namespace {

/// Nanoseconds that the work of the stream whose thread this is has taken so far.
thread_local double now = 0;

/// A copy takes this for every byte, a kernel for every thread, either at least as long as a launch. Roughly a GPU's.
constexpr double kByte = 1e-3, kThread = 1e-2, kStart = 2000;

constexpr size_t kAlignment = 256;

/// All that was made and not yet freed.
class Living {
 public:
  ~Living() {
    if (count_ == 0) return;
    fprintf(stderr, "cuda-sim: %d things of the GPU were never freed: %zu bytes of memory\n", count_, used_);
    if (getenv("CORTADO_SIM_LEAKS")) _exit(66);
  }
  void made() { change(1); }
  void freed() { change(-1); }

  void* allocate(size_t bytes, size_t limit) {
    const std::lock_guard lock(mutex_);
    if (bytes > limit || used_ > limit - bytes) return nullptr;
    void* data = aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
    if (!data) return nullptr;
    memset(data, 0xff, bytes);  // NaN: what is read before it was written shows
    blocks_[data] = bytes;
    used_ += bytes;
    ++count_;
    return data;
  }
  bool free_block(void* data) {
    const std::lock_guard lock(mutex_);
    const auto found = blocks_.find(data);
    if (found == blocks_.end()) return false;
    used_ -= found->second;
    --count_;
    blocks_.erase(found);
    free(data);
    return true;
  }
  size_t used() {
    const std::lock_guard lock(mutex_);
    return used_;
  }

 private:
  void change(int by) {
    const std::lock_guard lock(mutex_);
    count_ += by;
  }

  std::mutex mutex_;
  std::map<void*, size_t> blocks_;
  size_t used_ = 0;
  int count_ = 0;
};

Living& living() {
  static Living living;
  return living;
}

/// The GPU's memory: CORTADO_SIM_MEMORY bytes, or 8 GiB.
size_t memory_size() {
  const char* wish = getenv("CORTADO_SIM_MEMORY");
  return wish && *wish ? strtoull(wish, nullptr, 10) : size_t{8} << 30;
}

template <class T>
cudaError_t destroy(T* thing) {
  delete thing;
  living().freed();
  return cudaSuccess;
}

template <class T>
cudaError_t make(T** place) {
  *place = new T;
  living().made();
  return cudaSuccess;
}

cudaError_t take(void** data, size_t bytes) {
  *data = living().allocate(bytes, memory_size());
  return *data ? cudaSuccess : cudaErrorMemoryAllocation;
}

}  // namespace

cudaError_t launch(const cudaLaunchConfig_t& config, std::function<void()> kernel) {
  const dim3 &grid = config.gridDim, &block = config.blockDim;
  const unsigned threads = block.x * block.y * block.z;
  if (threads == 0 || threads > 1024 || grid.x == 0 || config.dynamicSmemBytes != 0) return cudaErrorInvalidValue;
  return config.stream->put([grid, block, threads, kernel = std::move(kernel)] {
    spend(kStart + kThread * threads * grid.x);
    run_grid(grid, block, kernel);
  });
}

void spend(double nanoseconds) { now += nanoseconds; }

cudaError_t enqueue(cudaStream_t stream, std::function<void()> work) { return stream->put(std::move(work)); }

}  // namespace cortado::sim

using namespace cortado::sim;

cudaError_t cudaGetLastError() { return cudaSuccess; }
const char* cudaGetErrorName(cudaError_t code) {
  return code == cudaErrorMemoryAllocation ? "cudaErrorMemoryAllocation" : "cudaErrorInvalidValue";
}
const char* cudaGetErrorString(cudaError_t code) {
  return code == cudaErrorMemoryAllocation ? "out of memory" : "invalid argument";
}
cudaError_t cudaDriverGetVersion(int* version) { return *version = 13000, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = 13000, cudaSuccess; }
cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int index) {
  snprintf(properties->name, sizeof properties->name, "simulated GPU");
  return cudaSetDevice(index);
}
/// A terabyte a second, and a cache that is small enough for tests to fill.
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int index) {
  switch (attribute) {
    case cudaDevAttrMemoryClockRate:
      *value = 1000000;
      break;
    case cudaDevAttrGlobalMemoryBusWidth:
      *value = 4096;
      break;
    case cudaDevAttrL2CacheSize:
      *value = 1 << 16;
      break;
  }
  return cudaSetDevice(index);
}
cudaError_t cudaSetDevice(int index) { return index == 0 ? cudaSuccess : cudaErrorInvalidDevice; }

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *total = memory_size();
  *free = *total - living().used();
  return cudaSuccess;
}
cudaError_t cudaMalloc(void** data, size_t bytes) {
  CORTADO_ANSWER_PLANTED(cudaError_t);
  return take(data, bytes);
}
cudaError_t cudaFree(void* data) { return !data || living().free_block(data) ? cudaSuccess : cudaErrorInvalidValue; }
cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps*) { return make(pool); }
cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool) { return destroy(pool); }
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return cudaSuccess; }
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t, cudaMemPoolAttr, void* value) {
  *static_cast<uint64_t*>(value) = 0;  // all memory goes back at once
  return cudaSuccess;
}
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, size_t) { return cudaSuccess; }
cudaError_t cudaMallocFromPoolAsync(void** data, size_t bytes, cudaMemPool_t, cudaStream_t) {
  return take(data, bytes);
}
cudaError_t cudaFreeAsync(void* data, cudaStream_t stream) {
  return stream->put([=] { living().free_block(data); });
}
cudaError_t cudaHostAlloc(void** data, size_t bytes, unsigned) {
  *data = living().allocate(bytes, SIZE_MAX);
  return *data ? cudaSuccess : cudaErrorMemoryAllocation;
}
cudaError_t cudaFreeHost(void* data) { return cudaFree(data); }

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  return stream->put([=] {
    spend(kStart + kByte * static_cast<double>(bytes));
    memcpy(to, from, bytes);
  });
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  return stream->put([=] {
    spend(kStart + kByte * static_cast<double>(bytes));
    memset(to, value, bytes);
  });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) { return make(stream); }
cudaError_t cudaStreamDestroy(cudaStream_t stream) { return destroy(stream); }
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  Event event;
  cudaEventRecord(&event, stream);
  return cudaEventSynchronize(&event);
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const std::lock_guard lock(event->mutex);
  return stream->put([event, number = event->recorded] {
    event->wait(number);
    const std::lock_guard reached(event->mutex);
    now = std::max(now, event->when);
  });
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  stream->capture = std::make_unique<Graph>();
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = stream->capture.release();
  living().made();
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { return make(event); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  cudaEventSynchronize(event);  // what is on its way to it still comes
  return destroy(event);
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const std::lock_guard lock(event->mutex);
  return stream->put([event, number = ++event->recorded] {
    const std::lock_guard reached(event->mutex);
    event->reached = number;
    event->when = now;
    event->passed.notify_all();
  });
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  uint64_t number = 0;
  {
    const std::lock_guard lock(event->mutex);
    number = event->recorded;
  }
  event->wait(number);
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  const std::lock_guard lock(event->mutex);
  return event->reached == event->recorded ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t first, cudaEvent_t last) {
  *milliseconds = static_cast<float>((last->when - first->when) * 1e-6);
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* instance, cudaGraph_t graph, unsigned long long) {
  make(instance);
  (*instance)->work = graph->work;
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  for (const auto& work : graph->work) stream->put(work);
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return destroy(graph); }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) { return destroy(graph); }
