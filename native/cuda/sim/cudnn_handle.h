#pragma once

#include "../vendor/cudnn_api.h"

namespace cortado::cuda::api {

struct cudnnContext {
  cudaStream_t stream = nullptr;
};

}  // namespace cortado::cuda::api
