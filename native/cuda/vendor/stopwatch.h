#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "../runtime/owned.h"

namespace cortado::cuda {

/// Times work on the calling thread's GPU, on a stream and in memory of its own.
class Stopwatch {
 public:
  /// `bytes` of each buffer that the work wants. Throws Error OUT_OF_MEMORY.
  explicit Stopwatch(const std::vector<size_t>& bytes);

  /// A buffer of small ordinary numbers, whatever their type. Without bytes: null.
  void* buffer(size_t index) const { return buffers_[index].data(); }
  /// Milliseconds: the least of some runs after one that warms up. Nothing where the library refuses the work. Throws
  /// Error when the GPU does.
  std::optional<float> time(const std::function<void(cudaStream_t)>& work) const;

 private:
  static constexpr int kRuns = 3;

  OwnedStream stream_;
  OwnedEvent begun_, ended_;
  std::vector<Block> buffers_;
};

}  // namespace cortado::cuda
