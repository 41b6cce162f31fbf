#include "cudnn.h"

namespace cortado::cuda {

Cudnn::Cudnn(const std::vector<std::string>& candidates) : Library(candidates) {
#define CORTADO_FIND(Result, name, parameters) find(#name, name);
  CORTADO_CUDNN_FUNCTIONS(CORTADO_FIND)
#undef CORTADO_FIND
  if (usable()) expect(static_cast<int>(cudnnGetVersion()), kLeastVersion);
}

Cudnn::~Cudnn() {
  if (handle_) cudnnDestroy(handle_);
}

api::cudnnHandle_t Cudnn::handle() {
  if (!handle_) check(cudnnCreate(&handle_), "cuDNN", "cudnnCreate");
  return handle_;
}

void Cudnn::check(api::cudnnStatus_t status, const std::string& subject, const char* call) const {
  if (status == api::CUDNN_STATUS_SUCCESS) return;
  char text[256] = {};
  cudnnGetLastErrorString(text, sizeof text);
  const std::string name = cudnnGetErrorString(status);
  refused(subject, call, status, text[0] == 0 ? name : name + ": " + text,
          status == api::CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED);
}

}  // namespace cortado::cuda
