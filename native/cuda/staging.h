#pragma once

#include <functional>
#include <mutex>

#include "owned.h"

namespace cortado::cuda {

/// Brings numbers from the host to the GPU on a stream of its own, through two pinned buffers in turns: while one is on
/// its way, the other is filled.
class Staging {
 public:
  Staging();

  /// Has `fill` write `bytes` bytes that go to `to`.
  void write(uint8_t* to, size_t bytes, const std::function<void(uint8_t*)>& fill);
  /// What `stream` is given from now on waits for all that was written before.
  void wait_on(cudaStream_t stream);
  /// Waits until nothing is on its way.
  void finish();

 private:
  struct Buffer {
    Pinned memory;
    OwnedEvent copied;
  };
  std::mutex mutex_;
  OwnedStream stream_;
  Buffer buffers_[2];
  int next_ = 0;
  OwnedEvent all_;
};

}  // namespace cortado::cuda
