// What the addon finds in this library: core/library.h.
#include "../core/library.h"

#include <cuda_runtime.h>
#include <stdio.h>

#include "device.h"

#define CORTADO_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

bool failed(cortado::Finding& finding, cudaError_t code, const char* call) {
  if (code == cudaSuccess) return false;
  finding.code = static_cast<int>(code);
  snprintf(finding.call, sizeof finding.call, "%s", call);
  snprintf(finding.name, sizeof finding.name, "%s", cudaGetErrorName(code));
  snprintf(finding.text, sizeof finding.text, "%s", cudaGetErrorString(code));
  cudaGetLastError();
  return true;
}

}  // namespace

CORTADO_EXPORT int cortado_device_abi() { return cortado::kDeviceAbi; }

CORTADO_EXPORT void cortado_device_examine(cortado::Finding& finding) {
  finding = {};
  if (failed(finding, cudaDriverGetVersion(&finding.driver), "cudaDriverGetVersion")) return;
  if (failed(finding, cudaRuntimeGetVersion(&finding.runtime), "cudaRuntimeGetVersion")) return;
  if (failed(finding, cudaGetDeviceCount(&finding.devices), "cudaGetDeviceCount")) finding.devices = 0;
}

CORTADO_EXPORT void cortado_device_open(int index, const cortado::OpenOptions& options,
                                        std::shared_ptr<cortado::Device>& device) {
  device = cortado::cuda::open(index, options);
}
