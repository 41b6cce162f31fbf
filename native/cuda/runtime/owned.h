// Things of the CUDA runtime, each freed with its owner.
#pragma once

#include <cuda_runtime.h>

#include <memory>
#include <utility>

#include "check.h"

namespace cortado::cuda {

/// Makes a device the calling thread's own while it lives.
class Using {
 public:
  explicit Using(int index) { check(cudaSetDevice(index), "cudaSetDevice"); }
};

template <class Handle, cudaError_t (*destroy)(Handle)>
class Owned {
 public:
  Owned() = default;
  ~Owned() {
    if (handle_) destroy(handle_);
  }
  Owned(Owned&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  operator Handle() const { return handle_; }
  /// Where a call that makes one puts it.
  Handle* place() { return &handle_; }

 private:
  Handle handle_ = nullptr;
};

using OwnedStream = Owned<cudaStream_t, cudaStreamDestroy>;
using OwnedEvent = Owned<cudaEvent_t, cudaEventDestroy>;
using OwnedGraph = Owned<cudaGraph_t, cudaGraphDestroy>;
using OwnedPool = Owned<cudaMemPool_t, cudaMemPoolDestroy>;
using OwnedGraphExec = Owned<cudaGraphExec_t, cudaGraphExecDestroy>;

inline OwnedStream make_stream() {
  OwnedStream stream;
  check(cudaStreamCreateWithFlags(stream.place(), cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  return stream;
}

inline OwnedEvent make_event(unsigned flags) {
  OwnedEvent event;
  check(cudaEventCreateWithFlags(event.place(), flags), "cudaEventCreateWithFlags");
  return event;
}

/// Memory of the GPU.
class Block {
 public:
  Block() = default;
  explicit Block(size_t bytes) : bytes_(bytes) {
    void* data = nullptr;
    check(cudaMalloc(&data, bytes), "cudaMalloc");
    data_.reset(static_cast<uint8_t*>(data));
  }
  size_t bytes() const { return bytes_; }
  uint8_t* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(uint8_t* data) const { cudaFree(data); }
  };
  size_t bytes_ = 0;
  std::unique_ptr<uint8_t, Free> data_;
};

/// Memory of the host that the GPU reads and writes by itself.
class Pinned {
 public:
  Pinned() = default;
  explicit Pinned(size_t bytes) : bytes_(bytes) {
    void* data = nullptr;
    check(cudaHostAlloc(&data, bytes, cudaHostAllocPortable), "cudaHostAlloc");
    data_.reset(static_cast<uint8_t*>(data));
  }
  size_t bytes() const { return bytes_; }
  uint8_t* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(uint8_t* data) const { cudaFreeHost(data); }
  };
  size_t bytes_ = 0;
  std::unique_ptr<uint8_t, Free> data_;
};

}  // namespace cortado::cuda
