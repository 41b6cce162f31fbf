#include "check.h"

#include "../../core/error.h"

namespace cortado::cuda {

namespace {

/// After these the context answers every call with an error (CUDA driver API, "sticky" errors).
bool is_sticky(cudaError_t status) {
  switch (status) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorAssert:
    case cudaErrorECCUncorrectable:
      return true;
    default:
      return false;
  }
}

}  // namespace

void check(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // the next call is not to blame
  const char *name = cudaGetErrorName(status), *text = cudaGetErrorString(status);
  if (status == cudaErrorMemoryAllocation) fail("OUT_OF_MEMORY", "%s: the GPU has no more memory (%s)", call, name);
  if (is_sticky(status)) {
    fail("DEVICE", "%s: the GPU is lost to this process (%s: %s); start the process again", call, name, text);
  }
  fail("DEVICE", "%s answered %d (%s: %s)", call, static_cast<int>(status), name, text);
}

}  // namespace cortado::cuda
