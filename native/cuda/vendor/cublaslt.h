#pragma once

#include "cublaslt_api.h"
#include "library.h"

namespace cortado::cuda {

/// cuBLASLt, for the GPU that is the calling thread's.
class CublasLt final : public Library, public api::CublasLtFunctions {
 public:
  /// The oldest that has what is called here, as its maker numbers it: 12.0.
  static constexpr int kLeastVersion = 120000;

  explicit CublasLt(const std::vector<std::string>& candidates);
  ~CublasLt();

  /// Made at the first call, which takes some time. Throws Error DEVICE.
  api::cublasLtHandle_t handle();
  /// Throws Error, naming what was to be computed and the call, unless it went well.
  void check(api::cublasStatus_t status, const std::string& subject, const char* call) const;

 private:
  api::cublasLtHandle_t handle_ = nullptr;
};

}  // namespace cortado::cuda
