#pragma once

#include <cuda_runtime.h>

#include "../core/normalize.h"
#include "../core/threads.h"

namespace cortado::cuda {

/// Pictures on their way to the GPU in one piece: what they are normalized with, then their pixels, a byte each where
/// they are bytes.
class PackedPictures {
 public:
  PackedPictures(const Normalization& normalization, const Pixels& pixels);

  size_t bytes() const { return bytes_; }
  /// Writes them down on the host, a team's shares each their part. Throws Error USAGE when a window leaves the picture
  /// of means.
  void pack(uint8_t* host, Threads& team) const;
  /// Starts what normalizes them on the GPU, where `packed` holds them; each number has the bits that a CPU gives it.
  void normalize(const uint8_t* packed, float* to, cudaStream_t stream) const;

 private:
  struct Part {
    size_t begin, bytes;
  };
  size_t of_picture() const { return static_cast<size_t>(n_.channels * n_.height * n_.width); }
  template <class Pixel>
  void start(const uint8_t* packed, float* to, cudaStream_t stream) const;

  Normalization n_;
  Pixels pixels_;
  size_t pictures_, bytes_ = 0;
  Part mean_, scale_, windows_, shift_, data_;
};

}  // namespace cortado::cuda
