#include "staging.h"

#include <algorithm>
#include <utility>

namespace cortado::cuda {

namespace {

/// More would only wait for memory and the bus.
constexpr int kMostThreads = 6;

template <class Storage>
void grow(Storage& storage, size_t bytes) {
  if (storage.bytes() >= bytes) return;
  storage = {};
  storage = Storage(bytes);
}

}  // namespace

Staging::Staging(int threads)
    : team_(std::clamp(threads, 1, kMostThreads)), stream_(make_stream()), all_(make_event(cudaEventDisableTiming)) {
  for (Buffer& buffer : buffers_) buffer.copied = make_event(cudaEventDisableTiming);
}

void Staging::write(uint8_t* to, size_t bytes, const Fill& fill) {
  const std::lock_guard lock(filling_);
  const Buffer& buffer = filled(bytes, fill);
  copy(buffer, to, bytes);
  written(buffer);
}

void Staging::write_packed(size_t bytes, const Fill& fill, const Unpack& unpack) {
  const std::lock_guard lock(filling_);
  Buffer& buffer = filled(bytes, fill);
  grow(buffer.packed, bytes);
  copy(buffer, buffer.packed.data(), bytes);
  unpack(buffer.packed.data(), stream_);
  written(buffer);
}

void Staging::wait_on(cudaStream_t stream) {
  const std::lock_guard lock(marking_);
  if (!std::exchange(news_, false)) return;
  check(cudaEventRecord(all_, stream_), "cudaEventRecord");
  check(cudaStreamWaitEvent(stream, all_, 0), "cudaStreamWaitEvent");
}

void Staging::written(const Buffer& buffer) {
  {
    const std::lock_guard lock(marking_);
    news_ = true;
  }
  check(cudaEventRecord(buffer.copied, stream_), "cudaEventRecord");
}

Staging::Buffer& Staging::filled(size_t bytes, const Fill& fill) {
  Buffer& buffer = buffers_[next_];
  next_ = (next_ + 1) % kBuffers;
  check(cudaEventSynchronize(buffer.copied), "cudaEventSynchronize");
  grow(buffer.memory, bytes);
  fill(buffer.memory.data(), team_);
  return buffer;
}

void Staging::copy(const Buffer& buffer, uint8_t* to, size_t bytes) {
  check(cudaMemcpyAsync(to, buffer.memory.data(), bytes, cudaMemcpyHostToDevice, stream_), "cudaMemcpyAsync");
}

}  // namespace cortado::cuda
