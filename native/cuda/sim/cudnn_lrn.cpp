// cuDNN's local response normalisation: a plain loop, faster than what our kernels are said to take.
#include <math.h>

#include <algorithm>

#include "answers.h"
#include "cudnn_handle.h"

namespace cortado::cuda::api {

struct cudnnTensorStruct {
  int64_t images = 0, channels = 0, pixels = 0;
};
struct cudnnLRNStruct {
  int64_t size = 0;
  double alpha = 0, beta = 0, k = 0;
};

}  // namespace cortado::cuda::api

using namespace cortado::cuda::api;

namespace {

constexpr double kNanoseconds = 1000;

void normalize(const cudnnTensorStruct& t, const cudnnLRNStruct& n, const float* x, float* y) {
  const int64_t before = (n.size - 1) / 2, after = n.size - before - 1;
  for (int64_t i = 0; i < t.images * t.channels * t.pixels; ++i) {
    const int64_t c = i / t.pixels % t.channels;
    double sum = 0;
    for (int64_t j = std::max<int64_t>(c - before, 0); j <= std::min(c + after, t.channels - 1); ++j) {
      const double v = static_cast<double>(x[i + (j - c) * t.pixels]);
      sum += v * v;
    }
    const double s = n.k + n.alpha / static_cast<double>(n.size) * sum;
    y[i] = static_cast<float>(static_cast<double>(x[i]) * pow(s, -n.beta));
  }
}

}  // namespace

CORTADO_SIMULATED cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* tensor) {
  CORTADO_ANSWER_PLANTED(cudnnStatus_t);
  *tensor = new cudnnTensorStruct;
  return CUDNN_STATUS_SUCCESS;
}
CORTADO_SIMULATED cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t tensor) {
  delete tensor;
  return CUDNN_STATUS_SUCCESS;
}
CORTADO_SIMULATED cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t tensor, cudnnTensorFormat_t format,
                                                           cudnnDataType_t type, int n, int c, int h, int w) {
  CORTADO_ANSWER_PLANTED(cudnnStatus_t);
  if (format != CUDNN_TENSOR_NCHW || type != CUDNN_DATA_FLOAT || std::min({n, c, h, w}) < 1)
    return CUDNN_STATUS_BAD_PARAM;
  *tensor = {n, c, int64_t{h} * w};
  return CUDNN_STATUS_SUCCESS;
}
CORTADO_SIMULATED cudnnStatus_t cudnnCreateLRNDescriptor(cudnnLRNDescriptor_t* lrn) {
  CORTADO_ANSWER_PLANTED(cudnnStatus_t);
  *lrn = new cudnnLRNStruct;
  return CUDNN_STATUS_SUCCESS;
}
CORTADO_SIMULATED cudnnStatus_t cudnnDestroyLRNDescriptor(cudnnLRNDescriptor_t lrn) {
  delete lrn;
  return CUDNN_STATUS_SUCCESS;
}
CORTADO_SIMULATED cudnnStatus_t cudnnSetLRNDescriptor(cudnnLRNDescriptor_t lrn, unsigned size, double alpha,
                                                      double beta, double k) {
  CORTADO_ANSWER_PLANTED(cudnnStatus_t);
  if (size < 1 || size > 16 || alpha < 1e-5 || k < 1e-5 || beta < 0.01) return CUDNN_STATUS_BAD_PARAM;
  *lrn = {size, alpha, beta, k};
  return CUDNN_STATUS_SUCCESS;
}
CORTADO_SIMULATED cudnnStatus_t cudnnLRNCrossChannelForward(cudnnHandle_t handle, cudnnLRNDescriptor_t lrn,
                                                            cudnnLRNMode_t, const void*, cudnnTensorDescriptor_t shape,
                                                            const void* x, const void*, cudnnTensorDescriptor_t,
                                                            void* y) {
  CORTADO_ANSWER_PLANTED(cudnnStatus_t);
  cortado::sim::enqueue(handle->stream, [lrn = *lrn, shape = *shape, x, y] {
    cortado::sim::spend(kNanoseconds * cortado::sim::slowness("lrn"));
    normalize(shape, lrn, static_cast<const float*>(x), static_cast<float*>(y));
  });
  return CUDNN_STATUS_SUCCESS;
}
