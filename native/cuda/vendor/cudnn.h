#pragma once

#include "cudnn_api.h"
#include "library.h"

namespace cortado::cuda {

/// cuDNN, for the GPU that is the calling thread's.
class Cudnn final : public Library, public api::CudnnFunctions {
 public:
  /// The oldest that has what is called here, as its maker numbers it: 9.0.0.
  static constexpr int kLeastVersion = 90000;

  explicit Cudnn(const std::vector<std::string>& candidates);
  ~Cudnn();

  /// Made at the first call, which takes some time; it serves one thread at a time. Throws Error DEVICE.
  api::cudnnHandle_t handle();
  /// Throws Error, naming what was to be computed and the call, unless it went well.
  void check(api::cudnnStatus_t status, const std::string& subject, const char* call) const;

 private:
  api::cudnnHandle_t handle_ = nullptr;
};

}  // namespace cortado::cuda
