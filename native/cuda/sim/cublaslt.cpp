// cuBLASLt's calls, by plain loops: what cublaslt_api.h declares. Inputs are rounded as the compute type lets the
// library do it; it wants memory to work in, and spoils it.
#include <math.h>
#include <stdio.h>

#include <algorithm>
#include <vector>

#include "../vendor/cublaslt_api.h"
#include "answers.h"
#include "rounding.h"

namespace cortado::cuda::api {

struct cublasLtContext {};
struct cublasLtMatmulDescOpaque_t {
  cublasComputeType_t compute;
  cublasOperation_t transpose_a, transpose_b;
  cublasLtEpilogue_t epilogue;
  const float* bias;
};
struct cublasLtMatrixLayoutOpaque_t {
  DataType type;
  int64_t rows, columns, stride;
  int32_t batch;
  int64_t distance;  // from each matrix of a batch to the next
};
struct cublasLtMatmulPreferenceOpaque_t {
  uint64_t workspace;
  uint32_t schemes;
};

}  // namespace cortado::cuda::api

using namespace cortado::cuda::api;
using namespace cortado::sim;

namespace {

constexpr size_t kWorkspace = 4000;

/// One matrix of a product, element (row, column) of what op() makes of it.
struct Matrix {
  const void* data;
  cublasLtMatrixLayoutOpaque_t layout;
  bool transposed;

  int64_t rows() const { return transposed ? layout.columns : layout.rows; }
  int64_t columns() const { return transposed ? layout.rows : layout.columns; }
  float at(int64_t number, int64_t row, int64_t column) const {
    const int64_t i =
        number * layout.distance + (transposed ? row * layout.stride + column : column * layout.stride + row);
    if (layout.type == CUDA_R_16F) return from_float16(static_cast<const uint16_t*>(data)[i]);
    if (layout.type == CUDA_R_16BF) return from_bfloat16(static_cast<const uint16_t*>(data)[i]);
    return static_cast<const float*>(data)[i];
  }
};

float rounded(cublasComputeType_t compute, float x) {
  if (compute == CUBLAS_COMPUTE_32F_FAST_TF32) return to_tf32(x);
  if (compute == CUBLAS_COMPUTE_32F_FAST_16BF) return from_bfloat16(to_bfloat16(x));
  return x;
}

/// Whether such a product is offered: a bias would have to be of the result's type, and is float32.
bool supported(const cublasLtMatmulDescOpaque_t& product, const cublasLtMatrixLayoutOpaque_t& a,
               const cublasLtMatrixLayoutOpaque_t& b, const cublasLtMatrixLayoutOpaque_t& d) {
  const bool biased = product.epilogue & CUBLASLT_EPILOGUE_BIAS;
  return a.type == b.type && (d.type == CUDA_R_32F || (d.type == a.type && !biased));
}

/// Algorithms by number, the best first; the others add up backwards, which shows in the last digits.
constexpr int kAlgorithms = 3;

void put(const Matrix& d, int64_t number, int64_t row, int64_t column, float y) {
  const int64_t i = number * d.layout.distance + column * d.layout.stride + row;
  void* const data = const_cast<void*>(d.data);
  if (d.layout.type == CUDA_R_16F) {
    static_cast<uint16_t*>(data)[i] = to_float16(y);
  } else if (d.layout.type == CUDA_R_16BF) {
    static_cast<uint16_t*>(data)[i] = to_bfloat16(y);
  } else {
    static_cast<float*>(data)[i] = y;
  }
}

/// Every element once, rounded, row by row or column by column.
std::vector<float> lines(const Matrix& m, int64_t number, bool rows, cublasComputeType_t compute) {
  const int64_t count = rows ? m.rows() : m.columns(), length = rows ? m.columns() : m.rows();
  std::vector<float> all;
  all.reserve(static_cast<size_t>(count * length));
  for (int64_t line = 0; line < count; ++line) {
    for (int64_t i = 0; i < length; ++i)
      all.push_back(rounded(compute, rows ? m.at(number, line, i) : m.at(number, i, line)));
  }
  return all;
}

void multiply(const cublasLtMatmulDescOpaque_t& product, uint64_t algorithm, const Matrix& a, const Matrix& b,
              const Matrix& d, int64_t number, float beta) {
  const bool biased = product.epilogue & CUBLASLT_EPILOGUE_BIAS, rectified = product.epilogue & CUBLASLT_EPILOGUE_RELU;
  const int64_t depth = a.columns();
  const std::vector<float> rows = lines(a, number, true, product.compute),
                           columns = lines(b, number, false, product.compute);
  for (int64_t n = 0; n < b.columns(); ++n) {
    for (int64_t m = 0; m < a.rows(); ++m) {
      const float *left = rows.data() + m * depth, *right = columns.data() + n * depth;
      float sum = 0;
      for (int64_t i = 0; i < depth; ++i) {
        const int64_t k = algorithm == 0 ? i : depth - 1 - i;
        sum = fmaf(left[k], right[k], sum);
      }
      const float before = beta == 0 ? 0.0f : beta * d.at(number, m, n);
      const float y = sum + before + (biased ? product.bias[m] : 0.0f);
      put(d, number, m, n, rectified && y <= 0.0f ? 0.0f : y);
    }
  }
}

}  // namespace

CORTADO_SIMULATED size_t cublasLtGetVersion() {
  const int planted = cortado::sim::planted(__func__);
  return planted ? static_cast<size_t>(planted) : 130000;
}
CORTADO_SIMULATED const char* cublasLtGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
  }
  return "another status";
}
CORTADO_SIMULATED cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  CORTADO_ANSWER_PLANTED(cublasStatus_t);
  *handle = new cublasLtContext;
  return CUBLAS_STATUS_SUCCESS;
}
CORTADO_SIMULATED cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

CORTADO_SIMULATED cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* product, cublasComputeType_t compute,
                                                          DataType scale) {
  CORTADO_ANSWER_PLANTED(cublasStatus_t);
  if (scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  *product = new cublasLtMatmulDescOpaque_t{compute, CUBLAS_OP_N, CUBLAS_OP_N, CUBLASLT_EPILOGUE_DEFAULT, nullptr};
  return CUBLAS_STATUS_SUCCESS;
}
CORTADO_SIMULATED cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t product) {
  delete product;
  return CUBLAS_STATUS_SUCCESS;
}
CORTADO_SIMULATED cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t product,
                                                                cublasLtMatmulDescAttributes_t name, const void* value,
                                                                size_t bytes) {
  CORTADO_ANSWER_PLANTED(cublasStatus_t);
  const auto take = [&](auto& place) {
    if (bytes != sizeof place) return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(&place, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
  };
  switch (name) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return take(product->transpose_a);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return take(product->transpose_b);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return take(product->epilogue);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return take(product->bias);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

CORTADO_SIMULATED cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, DataType type,
                                                            uint64_t rows, uint64_t columns, int64_t stride) {
  CORTADO_ANSWER_PLANTED(cublasStatus_t);
  if ((type != CUDA_R_32F && type != CUDA_R_16BF && type != CUDA_R_16F) || stride < static_cast<int64_t>(rows))
    return CUBLAS_STATUS_INVALID_VALUE;
  *layout =
      new cublasLtMatrixLayoutOpaque_t{type, static_cast<int64_t>(rows), static_cast<int64_t>(columns), stride, 1, 0};
  return CUBLAS_STATUS_SUCCESS;
}
CORTADO_SIMULATED cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}

CORTADO_SIMULATED cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                                  cublasLtMatrixLayoutAttribute_t name,
                                                                  const void* value, size_t bytes) {
  CORTADO_ANSWER_PLANTED(cublasStatus_t);
  const bool count = name == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT;
  if (bytes != (count ? sizeof layout->batch : sizeof layout->distance)) return CUBLAS_STATUS_INVALID_VALUE;
  memcpy(count ? static_cast<void*>(&layout->batch) : &layout->distance, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

CORTADO_SIMULATED cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = new cublasLtMatmulPreferenceOpaque_t{};
  return CUBLAS_STATUS_SUCCESS;
}
CORTADO_SIMULATED cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}
CORTADO_SIMULATED cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                                      cublasLtMatmulPreferenceAttributes_t name,
                                                                      const void* value, size_t bytes) {
  const bool wide = name == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
  if (bytes != (wide ? sizeof(uint64_t) : sizeof(uint32_t))) return CUBLAS_STATUS_INVALID_VALUE;
  if (wide) memcpy(&preference->workspace, value, bytes);
  if (name == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK) memcpy(&preference->schemes, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

CORTADO_SIMULATED cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t product,
                                                                cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                                                cublasLtMatrixLayout_t, cublasLtMatrixLayout_t d,
                                                                cublasLtMatmulPreference_t preference, int wanted,
                                                                cublasLtMatmulHeuristicResult_t* results, int* found) {
  CORTADO_ANSWER_PLANTED(cublasStatus_t);
  const Matrix left{nullptr, *a, product->transpose_a == CUBLAS_OP_T};
  const Matrix right{nullptr, *b, product->transpose_b == CUBLAS_OP_T};
  if (left.columns() != right.rows() || left.rows() != d->rows || right.columns() != d->columns || wanted < 1 ||
      a->batch != d->batch || b->batch != d->batch)
    return CUBLAS_STATUS_INVALID_VALUE;
  if (!supported(*product, *a, *b, *d)) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (preference->workspace < kWorkspace || preference->schemes != CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  *found = std::min(wanted, kAlgorithms);
  for (int i = 0; i < *found; ++i)
    results[i] = {{{static_cast<uint64_t>(i)}}, kWorkspace, CUBLAS_STATUS_SUCCESS, 1.0f, {}};
  return CUBLAS_STATUS_SUCCESS;
}
CORTADO_SIMULATED cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t,
                                                         cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                                         cublasLtMatrixLayout_t, const cublasLtMatmulAlgo_t* algorithm,
                                                         cublasLtMatmulHeuristicResult_t* result) {
  CORTADO_ANSWER_PLANTED(cublasStatus_t);
  if (algorithm->data[0] >= kAlgorithms) return CUBLAS_STATUS_NOT_SUPPORTED;
  *result = {*algorithm, kWorkspace, CUBLAS_STATUS_SUCCESS, 1.0f, {}};
  return CUBLAS_STATUS_SUCCESS;
}

CORTADO_SIMULATED cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t product, const void* alpha,
                                                const void* a, cublasLtMatrixLayout_t layout_a, const void* b,
                                                cublasLtMatrixLayout_t layout_b, const void* beta, const void*,
                                                cublasLtMatrixLayout_t, void* d, cublasLtMatrixLayout_t layout_d,
                                                const cublasLtMatmulAlgo_t* algorithm, void* workspace,
                                                size_t workspace_bytes, cudaStream_t stream) {
  CORTADO_ANSWER_PLANTED(cublasStatus_t);
  if (!supported(*product, *layout_a, *layout_b, *layout_d)) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (*static_cast<const float*>(alpha) != 1 || !beta || !algorithm || !workspace || workspace_bytes < kWorkspace)
    return CUBLAS_STATUS_INVALID_VALUE;
  // What a graph replays is what it was at the call.
  enqueue(stream, [product = *product, beta = *static_cast<const float*>(beta), number = algorithm->data[0],
                   left = Matrix{a, *layout_a, product->transpose_a == CUBLAS_OP_T},
                   right = Matrix{b, *layout_b, product->transpose_b == CUBLAS_OP_T},
                   result = Matrix{d, *layout_d, false}, workspace] {
    const auto terms = static_cast<double>(left.rows() * left.columns() * right.columns() * result.layout.batch);
    spend(terms * 1e-3 * static_cast<double>(1 + number) * slowness("algorithm " + std::to_string(number)));
    memset(workspace, 0xff, kWorkspace);
    for (int64_t i = 0; i < result.layout.batch; ++i) multiply(product, number, left, right, result, i, beta);
  });
  return CUBLAS_STATUS_SUCCESS;
}
