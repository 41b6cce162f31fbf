#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../../core/precision.h"
#include "../../core/tensor.h"
#include "cublaslt.h"

namespace cortado::cuda {

/// All that decides how D (rows, columns) = op(A) op(B) is computed, in matrices that lie column by column. `depth` is
/// what A and B have in common. A batch is of such products, whose matrices follow each other. A product may be a part
/// of a longer sum: then A and B lie as `parts` times as deep matrices do.
struct GemmShape {
  int64_t rows, columns, depth;
  bool transpose_a, transpose_b;
  bool bias, relu;  // D + bias (rows), rectified
  Precision precision;
  DType factors;  // A and B are float32, bfloat16 or float16
  DType result;   // D is float32 or, without a bias, which would have to be so too, what they are
  int64_t batch = 1;
  int64_t parts = 1;

  /// The depth of the matrices in memory.
  int64_t whole() const { return depth * parts; }
  /// Numbers from the beginning of A, and of B, to those of the next part.
  int64_t next_a() const { return transpose_a ? depth : rows * depth; }
  int64_t next_b() const { return transpose_b ? columns * depth : depth; }
  /// In words: for errors, and to tell one from the others.
  std::string text() const;
};

/// A product of matrices with the algorithm that was chosen for it.
class Gemm {
 public:
  /// More memory than this to work in is not given to an algorithm.
  static constexpr size_t kMostWorkspace = size_t{32} << 20;

  /// So many algorithms are worth to be compared.
  static constexpr int kMostCandidates = 10;

  /// Algorithms that add up in float32, best first, as cuBLASLt thinks. Throws Error.
  static std::vector<Gemm> candidates(CublasLt& library, const GemmShape& shape);
  /// The one that another described. Nothing where this cuBLASLt does not take it. Throws Error.
  static std::optional<Gemm> restore(CublasLt& library, const GemmShape& shape, const std::string& description);

  /// What restore() takes.
  std::string describe() const;
  size_t workspace() const { return algorithm_.workspaceSize; }
  /// If `more`, the product is added to D. Throws Error.
  void run(CublasLt& library, cudaStream_t stream, const void* a, const void* b, const float* bias, void* d,
           void* workspace, bool more = false) const;

 private:
  template <class T>
  using Handle = std::shared_ptr<std::remove_pointer_t<T>>;

  /// All but the algorithm. Throws Error.
  Gemm(CublasLt& library, const GemmShape& shape);

  std::string subject_;
  Handle<api::cublasLtMatmulDesc_t> product_;
  Handle<api::cublasLtMatrixLayout_t> a_, b_, d_;
  bool bias_;
  api::cublasLtMatmulHeuristicResult_t algorithm_{};
};

}  // namespace cortado::cuda
