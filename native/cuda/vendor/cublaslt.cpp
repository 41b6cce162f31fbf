#include "cublaslt.h"

namespace cortado::cuda {

CublasLt::CublasLt(const std::vector<std::string>& candidates) : Library(candidates) {
#define CORTADO_FIND(Result, name, parameters) find(#name, name);
  CORTADO_CUBLASLT_FUNCTIONS(CORTADO_FIND)
#undef CORTADO_FIND
  if (usable()) expect(static_cast<int>(cublasLtGetVersion()), kLeastVersion);
}

CublasLt::~CublasLt() {
  if (handle_) cublasLtDestroy(handle_);
}

api::cublasLtHandle_t CublasLt::handle() {
  if (!handle_) check(cublasLtCreate(&handle_), "cuBLASLt", "cublasLtCreate");
  return handle_;
}

void CublasLt::check(api::cublasStatus_t status, const std::string& subject, const char* call) const {
  if (status == api::CUBLAS_STATUS_SUCCESS) return;
  refused(subject, call, status, cublasLtGetStatusName(status), status == api::CUBLAS_STATUS_ALLOC_FAILED);
}

}  // namespace cortado::cuda
