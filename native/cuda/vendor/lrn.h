#pragma once

#include <memory>
#include <string>

#include "cudnn.h"

namespace cortado::cuda {

/// Local response normalisation across channels of float32 numbers, channels first.
struct LrnShape {
  /// Of our own kernel, which a choice was made against: raised whenever that changes.
  static constexpr int kOwnVersion = 1;

  int64_t images, channels, pixels, size;
  double alpha, beta, k;

  /// Whether cuDNN has it, with the same results as ours (cudnn_ops.h). It has none in bfloat16, and in float16 it
  /// rounds alpha to it. Its gradient also reads the forward result, which nothing else keeps: made again, it costs
  /// twice the memory traffic of ours.
  bool offered() const;
  int64_t bytes() const { return images * channels * pixels * static_cast<int64_t>(sizeof(float)); }
  /// In words: for errors, and to tell one from the others.
  std::string text() const;
};

/// cuDNN's call for it. There is no node for it in cuDNN's graphs; unlike most of the older calls, this one is not
/// deprecated.
class LrnCall {
 public:
  /// Throws Error.
  LrnCall(const Cudnn& cudnn, const LrnShape& shape);

  void run(const Cudnn& cudnn, api::cudnnHandle_t handle, cudaStream_t stream, const float* x, float* y) const;

 private:
  template <class T>
  using Owned = std::unique_ptr<T, api::cudnnStatus_t (*)(T*)>;

  std::string subject_;
  Owned<api::cudnnTensorStruct> tensor_;
  Owned<api::cudnnLRNStruct> normalization_;
};

}  // namespace cortado::cuda
