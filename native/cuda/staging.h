#pragma once

#include <functional>
#include <mutex>

#include "runtime/owned.h"

namespace cortado::cuda {

/// Brings numbers from the host to the GPU on a stream of its own, through two pinned buffers in turns: while one is on
/// its way, the other is filled.
class Staging {
 public:
  using Fill = std::function<void(uint8_t* host)>;
  using Unpack = std::function<void(const uint8_t* packed, cudaStream_t stream)>;

  Staging();

  /// Has `fill` write `bytes` bytes that go to `to`.
  void write(uint8_t* to, size_t bytes, const Fill& fill);
  /// Has `fill` write `bytes` bytes, and `unpack` start what makes of them, on the GPU, what is wanted.
  void write_packed(size_t bytes, const Fill& fill, const Unpack& unpack);
  /// What `stream` is given from now on waits for all that was written before.
  void wait_on(cudaStream_t stream);

 private:
  struct Buffer {
    Pinned memory;
    Block packed;
    OwnedEvent copied;
  };
  /// A buffer of at least that many bytes, filled.
  Buffer& filled(size_t bytes, const Fill& fill);
  void copy(const Buffer& buffer, uint8_t* to, size_t bytes);

  std::mutex mutex_;
  OwnedStream stream_;
  Buffer buffers_[2];
  int next_ = 0;
  OwnedEvent all_;
};

}  // namespace cortado::cuda
