#pragma once

#include <cuda_runtime.h>

namespace cortado::cuda {

/// Throws Error OUT_OF_MEMORY or DEVICE, naming the call, unless it went well.
void check(cudaError_t status, const char* call);

}  // namespace cortado::cuda
