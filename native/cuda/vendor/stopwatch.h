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
  /// What a work that was given up halfway has put on the stream still uses the memory.
  ~Stopwatch() { cudaStreamSynchronize(stream_); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

  using Work = std::function<void(cudaStream_t)>;

  /// A buffer of random ordinary numbers, whatever their type. Without bytes: null.
  void* buffer(size_t index) const { return buffers_[index].data(); }
  /// Milliseconds: the least of some runs after one that warms up; of fewer where one alone is far from the `best` so
  /// far. Nothing where the library refuses the work. Throws Error when the GPU does.
  std::optional<float> time(const Work& work, std::optional<float> best = {}) const;
  /// The first of `count` floats that `work` leaves in a buffer. Nothing where the library refuses it.
  std::optional<std::vector<float>> result(const Work& work, size_t index, size_t count) const;

 private:
  /// The simulated GPU's clock is exact.
#if defined(CORTADO_CUDA_SIM)
  static constexpr int kRuns = 1;
#else
  static constexpr int kRuns = 3;
#endif
  /// A run so many times the best is not worth another; the one that warms up also loads kernels.
  static constexpr float kFar = 2, kHopeless = 50;

  /// Whether the library took the work. The GPU has done it.
  bool run(const Work& work) const;

  OwnedStream stream_;
  OwnedEvent begun_, ended_;
  std::vector<Block> buffers_;
};

}  // namespace cortado::cuda
