#pragma once

#include <functional>
#include <mutex>

#include "../core/memory.h"
#include "../core/team.h"
#include "runtime/owned.h"

namespace cortado::cuda {

/// Brings numbers from the host to the GPU on a stream of its own, through pinned buffers in turns: while some are on
/// their way, the next is filled, by several threads, since one alone copies less than the bus takes.
class Staging {
 public:
  using Fill = Memory::Fill;
  using Unpack = std::function<void(const uint8_t* packed, cudaStream_t stream)>;

  /// `threads` that there are to fill buffers; it takes as many as are of use.
  explicit Staging(int threads);

  /// Has `fill` write `bytes` bytes that go to `to`.
  void write(uint8_t* to, size_t bytes, const Fill& fill);
  /// Has `fill` write `bytes` bytes, and `unpack` start what makes of them, on the GPU, what is wanted.
  void write_packed(size_t bytes, const Fill& fill, const Unpack& unpack);
  /// What `stream`, the device's only other, is given from now on waits for all that was written before.
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
  void written(const Buffer& buffer);

  static constexpr int kBuffers = 4;

  std::mutex filling_, marking_;  // whoever starts a run need not wait for a buffer to be filled
  Team team_;
  OwnedStream stream_;
  Buffer buffers_[kBuffers];
  int next_ = 0;
  OwnedEvent all_;
  bool news_ = false;  // since a stream last waited
};

}  // namespace cortado::cuda
