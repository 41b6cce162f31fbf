#include "staging.h"

namespace cortado::cuda {

Staging::Staging() : stream_(make_stream()), all_(make_event(cudaEventDisableTiming)) {
  for (Buffer& buffer : buffers_) buffer.copied = make_event(cudaEventDisableTiming);
}

void Staging::write(uint8_t* to, size_t bytes, const std::function<void(uint8_t*)>& fill) {
  const std::lock_guard lock(mutex_);
  Buffer& buffer = buffers_[next_];
  next_ = 1 - next_;
  check(cudaEventSynchronize(buffer.copied), "cudaEventSynchronize");
  if (buffer.memory.bytes() < bytes) {
    buffer.memory = {};
    buffer.memory = Pinned(bytes);
  }
  fill(buffer.memory.data());
  check(cudaMemcpyAsync(to, buffer.memory.data(), bytes, cudaMemcpyHostToDevice, stream_), "cudaMemcpyAsync");
  check(cudaEventRecord(buffer.copied, stream_), "cudaEventRecord");
}

void Staging::wait_on(cudaStream_t stream) {
  const std::lock_guard lock(mutex_);
  check(cudaEventRecord(all_, stream_), "cudaEventRecord");
  check(cudaStreamWaitEvent(stream, all_, 0), "cudaStreamWaitEvent");
}

void Staging::finish() {
  const std::lock_guard lock(mutex_);
  cudaStreamSynchronize(stream_);
}

}  // namespace cortado::cuda
