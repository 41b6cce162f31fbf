#include "gemm.h"

#include <numeric>
#include <sstream>

namespace cortado::cuda {

using namespace api;

namespace {

cublasComputeType_t compute_type(const GemmShape& shape) {
  if (shape.factors != DType::f32) return CUBLAS_COMPUTE_32F;
  switch (shape.precision) {
    case Precision::f32:
      return CUBLAS_COMPUTE_32F;
    case Precision::bf16:
      return CUBLAS_COMPUTE_32F_FAST_16BF;
    case Precision::tf32:
    case Precision::f16:  // TF32 has its digits, and float32's range
      break;
  }
  return CUBLAS_COMPUTE_32F_FAST_TF32;
}

DataType data_type(DType type) {
  return type == DType::bf16 ? CUDA_R_16BF : type == DType::f16 ? CUDA_R_16F : CUDA_R_32F;
}

cublasLtEpilogue_t epilogue(const GemmShape& shape) {
  if (shape.bias) return shape.relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS;
  return shape.relu ? CUBLASLT_EPILOGUE_RELU : CUBLASLT_EPILOGUE_DEFAULT;
}

/// Bytes by which the places of matrices of so many numbers can be divided: of a single one, where plans place tensors;
/// those of a batch lie one behind the other, and parts so many numbers from each other.
uint32_t alignment(const GemmShape& shape, DType type, int64_t numbers, int64_t next) {
  constexpr int64_t kPlaces = 64;
  const int64_t width = type == DType::f32 ? 4 : 2;
  const int64_t matrix = shape.batch > 1 ? numbers * width : 0, part = shape.parts > 1 ? next * width : 0;
  return static_cast<uint32_t>(std::gcd(kPlaces, std::gcd(matrix, part)));
}

}  // namespace

std::string GemmShape::text() const {
  static constexpr const char* kPrecisions[] = {"float32", "tf32", "bfloat16", "float16"};
  std::ostringstream out;
  out << "product in " << kPrecisions[static_cast<int>(precision)] << (bias ? " + bias" : "") << (relu ? " + ReLU" : "")
      << " of (" << columns << ", " << depth << ")" << (transpose_b ? " transposed" : "") << " and (" << depth << ", "
      << rows << ")" << (transpose_a ? " transposed" : "")
      << (factors == DType::bf16  ? ", stored in bfloat16"
          : factors == DType::f16 ? ", stored in float16"
                                  : "")
      << (result == DType::f32 ? "" : " like its result");
  if (batch > 1) out << ", " << batch << " times";
  if (parts > 1) out << ", one of " << parts << " parts";
  return out.str();
}

Gemm::Gemm(CublasLt& library, const GemmShape& shape) : subject_(shape.text()), bias_(shape.bias) {
  const auto check = [&](cublasStatus_t status, const char* call) { library.check(status, subject_, call); };

  cublasLtMatmulDesc_t product = nullptr;
  check(library.cublasLtMatmulDescCreate(&product, compute_type(shape), CUDA_R_32F), "cublasLtMatmulDescCreate");
  product_ = {product, library.cublasLtMatmulDescDestroy};
  const auto set = [&](cublasLtMatmulDescAttributes_t name, const auto& value) {
    check(library.cublasLtMatmulDescSetAttribute(product, name, &value, sizeof value),
          "cublasLtMatmulDescSetAttribute");
  };
  set(CUBLASLT_MATMUL_DESC_TRANSA, shape.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(CUBLASLT_MATMUL_DESC_TRANSB, shape.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue(shape));
  // Heuristics look at the bias's alignment; where it is, run() says.
  const auto* const somewhere = reinterpret_cast<const void*>(uintptr_t{256});
  if (shape.bias) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, somewhere);

  // `stride` from column to column, `size` from matrix to matrix.
  const auto layout = [&](DataType type, int64_t rows, int64_t columns, int64_t stride, int64_t size) {
    cublasLtMatrixLayout_t made = nullptr;
    check(library.cublasLtMatrixLayoutCreate(&made, type, static_cast<uint64_t>(rows), static_cast<uint64_t>(columns),
                                             stride),
          "cublasLtMatrixLayoutCreate");
    Handle<cublasLtMatrixLayout_t> layout(made, library.cublasLtMatrixLayoutDestroy);
    const auto set = [&](cublasLtMatrixLayoutAttribute_t name, const auto& value) {
      check(library.cublasLtMatrixLayoutSetAttribute(made, name, &value, sizeof value),
            "cublasLtMatrixLayoutSetAttribute");
    };
    if (shape.batch > 1) {
      set(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<int32_t>(shape.batch));
      set(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, size);
    }
    return layout;
  };
  const DataType factors = data_type(shape.factors);
  const int64_t rows = shape.rows, columns = shape.columns, depth = shape.depth, whole = shape.whole();
  a_ = shape.transpose_a ? layout(factors, depth, rows, whole, rows * whole)
                         : layout(factors, rows, depth, rows, rows * whole);
  b_ = shape.transpose_b ? layout(factors, columns, depth, columns, columns * whole)
                         : layout(factors, depth, columns, whole, columns * whole);
  d_ = layout(data_type(shape.result), rows, columns, rows, rows * columns);
}

std::vector<Gemm> Gemm::candidates(CublasLt& library, const GemmShape& shape) {
  const Gemm gemm(library, shape);
  const auto check = [&](cublasStatus_t status, const char* call) { library.check(status, gemm.subject_, call); };
  cublasLtMatmulPreference_t made = nullptr;
  check(library.cublasLtMatmulPreferenceCreate(&made), "cublasLtMatmulPreferenceCreate");
  const Handle<cublasLtMatmulPreference_t> preference(made, library.cublasLtMatmulPreferenceDestroy);
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t name, const auto& value) {
    check(library.cublasLtMatmulPreferenceSetAttribute(made, name, &value, sizeof value),
          "cublasLtMatmulPreferenceSetAttribute");
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, uint64_t{kMostWorkspace});
  // Parts of a long sum are added up in float32 and in order.
  prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  const uint32_t result = alignment(shape, shape.result, shape.rows * shape.columns, 0);
  const auto factor = [&](int64_t lines, int64_t next) {
    return alignment(shape, shape.factors, lines * shape.whole(), next);
  };
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, factor(shape.rows, shape.next_a()));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, factor(shape.columns, shape.next_b()));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, result);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, result);

  std::vector<cublasLtMatmulHeuristicResult_t> results(kMostCandidates);
  int found = 0;
  const cublasStatus_t status = library.cublasLtMatmulAlgoGetHeuristic(
      library.handle(), gemm.product_.get(), gemm.a_.get(), gemm.b_.get(), gemm.d_.get(), gemm.d_.get(), made,
      kMostCandidates, results.data(), &found);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED) return {};
  check(status, "cublasLtMatmulAlgoGetHeuristic");
  std::vector<Gemm> plans;
  for (int i = 0; i < found; ++i) {
    if (results[static_cast<size_t>(i)].state != CUBLAS_STATUS_SUCCESS) continue;
    plans.push_back(gemm);
    plans.back().algorithm_ = results[static_cast<size_t>(i)];
  }
  return plans;
}

std::optional<Gemm> Gemm::restore(CublasLt& library, const GemmShape& shape, const std::string& description) {
  cublasLtMatmulAlgo_t algorithm{};
  std::istringstream words(description);
  words >> std::hex;
  for (uint64_t& word : algorithm.data) words >> word;
  if (!words) return std::nullopt;
  Gemm gemm(library, shape);
  const cublasStatus_t status =
      library.cublasLtMatmulAlgoCheck(library.handle(), gemm.product_.get(), gemm.a_.get(), gemm.b_.get(),
                                      gemm.d_.get(), gemm.d_.get(), &algorithm, &gemm.algorithm_);
  if (status != CUBLAS_STATUS_SUCCESS || gemm.workspace() > kMostWorkspace) return std::nullopt;
  gemm.algorithm_.algo = algorithm;
  return gemm;
}

std::string Gemm::describe() const {
  std::ostringstream words;
  words << std::hex;
  for (const uint64_t word : algorithm_.algo.data) words << word << ' ';
  return words.str();
}

void Gemm::run(CublasLt& library, cudaStream_t stream, const void* a, const void* b, const float* bias, void* d,
               void* workspace, bool more) const {
  const float one = 1, before = more ? 1 : 0;
  if (bias_) {
    library.check(
        library.cublasLtMatmulDescSetAttribute(product_.get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias),
        subject_, "cublasLtMatmulDescSetAttribute");
  }
  library.check(
      library.cublasLtMatmul(library.handle(), product_.get(), &one, a, a_.get(), b, b_.get(), &before, d, d_.get(), d,
                             d_.get(), &algorithm_.algo, workspace, algorithm_.workspaceSize, stream),
      subject_, "cublasLtMatmul");
}

}  // namespace cortado::cuda
