// Where runs arrive.
#pragma once

#include <mutex>
#include <vector>

#include "runtime/owned.h"

namespace cortado::cuda {

/// Pinned room for the results of a run, and a mark that the stream passes when all of them are there.
class Landing {
 public:
  explicit Landing(size_t bytes);
  size_t bytes() const { return results_.bytes(); }
  uint8_t* results() const { return results_.data(); }

  /// Puts the mark behind what is on the stream.
  void mark(cudaStream_t stream);
  /// Waits until the stream has passed the mark. Throws Error DEVICE for what went wrong on the way.
  void wait() const;

 private:
  Pinned results_;
  OwnedEvent passed_;
};

/// Landings that are kept from run to run: to allocate pinned memory stops the whole GPU.
class Landings {
 public:
  /// One with room for that many bytes.
  Landing take(size_t bytes);
  /// One whose run has arrived.
  void give(Landing landing);

 private:
  std::mutex mutex_;
  std::vector<Landing> spare_;
};

}  // namespace cortado::cuda
