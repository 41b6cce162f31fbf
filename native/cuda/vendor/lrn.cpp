#include "lrn.h"

#include <sstream>

namespace cortado::cuda {

using namespace api;

namespace {

/// CUDNN_LRN_MAX_N, CUDNN_LRN_MIN_K (of alpha, too) and CUDNN_LRN_MIN_BETA.
constexpr int64_t kLargest = 16;
constexpr double kLeast = 1e-5, kLeastBeta = 0.01;

template <class T>
T* made(const Cudnn& cudnn, const std::string& subject, cudnnStatus_t (*create)(T**), const char* call) {
  T* descriptor = nullptr;
  cudnn.check(create(&descriptor), subject, call);
  return descriptor;
}

}  // namespace

bool LrnShape::offered() const {
  return size <= kLargest && alpha >= kLeast && k >= kLeast && beta >= kLeastBeta && bytes() / 4 <= INT32_MAX;
}

std::string LrnShape::text() const {
  std::ostringstream out;
  out << "lrn in float32 of images (" << images << ", " << channels << ", " << pixels << "), " << size
      << " channels, alpha " << alpha << ", beta " << beta << ", k " << k;
  return out.str();
}

LrnCall::LrnCall(const Cudnn& cudnn, const LrnShape& shape)
    : subject_(shape.text()),
      tensor_(made(cudnn, subject_, cudnn.cudnnCreateTensorDescriptor, "cudnnCreateTensorDescriptor"),
              cudnn.cudnnDestroyTensorDescriptor),
      normalization_(made(cudnn, subject_, cudnn.cudnnCreateLRNDescriptor, "cudnnCreateLRNDescriptor"),
                     cudnn.cudnnDestroyLRNDescriptor) {
  cudnn.check(cudnn.cudnnSetTensor4dDescriptor(tensor_.get(), CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT,
                                               static_cast<int>(shape.images), static_cast<int>(shape.channels), 1,
                                               static_cast<int>(shape.pixels)),
              subject_, "cudnnSetTensor4dDescriptor");
  cudnn.check(cudnn.cudnnSetLRNDescriptor(normalization_.get(), static_cast<unsigned>(shape.size), shape.alpha,
                                          shape.beta, shape.k),
              subject_, "cudnnSetLRNDescriptor");
}

void LrnCall::run(const Cudnn& cudnn, cudnnHandle_t handle, cudaStream_t stream, const float* x, float* y) const {
  const float one = 1, zero = 0;
  cudnn.check(cudnn.cudnnSetStream(handle, stream), subject_, "cudnnSetStream");
  cudnn.check(cudnn.cudnnLRNCrossChannelForward(handle, normalization_.get(), CUDNN_LRN_CROSS_CHANNEL_DIM1, &one,
                                                tensor_.get(), x, &zero, tensor_.get(), y),
              subject_, "cudnnLRNCrossChannelForward");
}

}  // namespace cortado::cuda
