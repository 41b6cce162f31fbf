#include "probe.h"

#include <cuda_runtime.h>
#include <stdio.h>

#include <sstream>
#include <string>

#include "vendor/cublaslt.h"
#include "vendor/cudnn.h"

namespace {

using cortado::cuda::CublasLt;
using cortado::cuda::Cudnn;

constexpr int kQuestion = 20, kAnswer = 42;

/// Shows that this library has code which the device can run.
__global__ void answer(int* value) { *value = 2 * *value + 2; }

std::string quoted(const char* text) {
  std::ostringstream out;
  out << '"';
  for (const char* p = text; *p != 0; ++p) {
    if (*p == '"' || *p == '\\') out << '\\';
    if (static_cast<unsigned char>(*p) >= 0x20) out << *p;
  }
  out << '"';
  return out.str();
}

/// A failed call, or "null".
std::string failure(const char* call, cudaError_t code) {
  if (code == cudaSuccess) return "null";
  std::ostringstream out;
  out << "{\"call\":" << quoted(call) << ",\"code\":" << static_cast<int>(code)
      << ",\"name\":" << quoted(cudaGetErrorName(code)) << ",\"text\":" << quoted(cudaGetErrorString(code)) << '}';
  return out.str();
}

/// Device memory for one int.
class DeviceInt {
 public:
  ~DeviceInt() { cudaFree(data_); }
  cudaError_t allocate() { return cudaMalloc(reinterpret_cast<void**>(&data_), sizeof(int)); }
  int* data() const { return data_; }

 private:
  int* data_ = nullptr;
};

/// Runs the kernel on the current device; the failed call, or "null".
std::string trial() {
  DeviceInt place;
  int value = kQuestion;
  if (const auto code = place.allocate()) return failure("cudaMalloc", code);
  if (const auto code = cudaMemcpy(place.data(), &value, sizeof value, cudaMemcpyHostToDevice)) {
    return failure("cudaMemcpy", code);
  }
  answer<<<1, 1>>>(place.data());
  if (const auto code = cudaGetLastError()) return failure("kernel launch", code);
  if (const auto code = cudaMemcpy(&value, place.data(), sizeof value, cudaMemcpyDeviceToHost)) {
    return failure("kernel", code);
  }
  return value == kAnswer ? "null" : failure("kernel result", cudaErrorUnknown);
}

void device(std::ostream& out, int index) {
  out << "{\"index\":" << index;
  const auto end = [&](const std::string& error) { out << ",\"error\":" << error << '}'; };
  cudaDeviceProp properties{};
  if (const auto code = cudaGetDeviceProperties(&properties, index)) {
    return end(failure("cudaGetDeviceProperties", code));
  }
  out << ",\"name\":" << quoted(properties.name) << ",\"computeCapability\":\"" << properties.major << '.'
      << properties.minor << "\",\"memory\":" << properties.totalGlobalMem
      << ",\"multiprocessors\":" << properties.multiProcessorCount;
  if (const auto code = cudaSetDevice(index)) return end(failure("cudaSetDevice", code));
  size_t free = 0, total = 0;
  if (const auto code = cudaMemGetInfo(&free, &total)) return end(failure("cudaMemGetInfo", code));
  out << ",\"free\":" << free;
  end(trial());
}

std::string probe(int only) {
  int driver = 0, runtime = 0, count = 0;
  const char* call = "cudaDriverGetVersion";
  auto code = cudaDriverGetVersion(&driver);
  if (code == cudaSuccess) {
    call = "cudaRuntimeGetVersion";
    code = cudaRuntimeGetVersion(&runtime);
  }
  if (code == cudaSuccess) {
    call = "cudaGetDeviceCount";
    code = cudaGetDeviceCount(&count);
    if (code != cudaSuccess) count = 0;
  }
  std::ostringstream out;
  out << "{\"abi\":" << CORTADO_CUDA_ABI << ",\"built\":{\"toolkit\":" << CUDART_VERSION
      << ",\"architectures\":" << quoted(CORTADO_CUDA_BUILT_FOR) << ",\"needed\":{\"cuDNN\":" << Cudnn::kLeastVersion
      << ",\"cuBLASLt\":" << CublasLt::kLeastVersion << "}},\"driver\":" << driver << ",\"runtime\":" << runtime
      << ",\"count\":" << count << ",\"error\":" << failure(call, code) << ",\"devices\":[";
  const char* comma = "";
  for (int i = 0; i < count; ++i) {
    if (only >= 0 && i != only) continue;
    out << comma;
    comma = ",";
    device(out, i);
  }
  out << "]}";
  return out.str();
}

}  // namespace

int cortado_cuda_abi(void) { return CORTADO_CUDA_ABI; }

size_t cortado_cuda_probe(int only, char* json, size_t capacity) {
  try {
    const std::string text = probe(only);
    if (capacity > 0) snprintf(json, capacity, "%s", text.c_str());
    return text.size();
  } catch (...) {
    return 0;  // out of memory: no result
  }
}
