// Inner products of rows. This is the place where an algorithm is chosen for a shape: cuBLASLt's where it has one, our
// own otherwise.
#include "../kernels/products.h"
#include "bias.h"
#include "device.h"
#include "product.h"
#include "table.h"
#include "vendor/vendor.h"

namespace cortado::cuda {

namespace {

/// C (rows, columns) = A (rows, depth) B (depth, columns): plain matrices, each along k in memory or across it.
template <bool kAlongRows, bool kAlongColumns>
struct Matrices {
  static constexpr bool kAlongA = kAlongRows, kAlongB = kAlongColumns;
  const float *left, *right;
  float* to;
  int64_t rows, columns, depth;
  Epilogue epilogue;

  using Row = const float*;
  using Column = const float*;
  __device__ Row row(int64_t, int64_t m) const { return left + (kAlongA ? m * depth : m); }
  __device__ float a(Row row, int64_t k) const { return row[kAlongA ? k : k * rows]; }
  __device__ Column column(int64_t, int64_t n) const { return right + (kAlongB ? n * depth : n); }
  __device__ float b(Column column, int64_t k) const { return column[kAlongB ? k : k * columns]; }
  __device__ void put(int64_t, int64_t m, int64_t n, float sum) const { to[m * columns + n] = epilogue(n, sum); }
};

/// The same with the sides chosen when a plan is prepared, or a plan of cuBLASLt's.
struct MatrixProduct {
  Matrices<true, true> p;
  bool along_a, along_b;
  ProductShape shape;
  Vendor* vendor;
  const Gemm* gemm;

  MatrixProduct() = default;
  MatrixProduct(Prepare& step, const Matrices<true, true>& matrices, bool along_a, bool along_b)
      : p(matrices),
        along_a(along_a),
        along_b(along_b),
        shape(ProductShape::of(1, p.rows, p.columns, p.depth)),
        vendor(&vendor_of(step.device())),
        gemm(p.to ? vendor->gemm(transposed(step.precision())) : nullptr) {
    step.scratch(shape.bytes());
    if (gemm) step.scratch(gemm->workspace());
  }
  void run(const Launch& launch) const {
    // A library does not look whether the run has been halted.
    if (gemm && !launch.halt)
      return vendor->run(*gemm, launch.stream, p.right, p.left, p.epilogue.bias, p.to, launch.scratch);
    if (along_a) return along_b ? start<true, true>(launch) : start<true, false>(launch);
    along_b ? start<false, true>(launch) : start<false, false>(launch);
  }

 private:
  /// BLAS has its matrices column by column: what is row by row to us is transposed to it, and so is the product,
  /// C^T = B^T A^T.
  GemmShape transposed(Precision precision) const {
    return {p.columns, p.rows, p.depth, along_b, !along_a, p.epilogue.bias != nullptr, p.epilogue.relu, precision};
  }
  template <bool kAlongRows, bool kAlongColumns>
  void start(const Launch& launch) const {
    multiply(launch, shape,
             Matrices<kAlongRows, kAlongColumns>{p.left, p.right, p.to, p.rows, p.columns, p.depth, p.epilogue});
  }
};

/// y = x w^T + bias, rectified if relu. In: x, weight, bias (units) or absent. Out: y (rows, units). Axes of x before
/// `axis` are rows, the others inputs.
struct Dense {
  DenseShape s;
  MatrixProduct product;

  explicit Dense(Prepare& step) : s(step, step.in(0), step.out(0), required(step, step.in(1), "a weight"), step.in(2)) {
    const Epilogue epilogue{step.in(2).f32(), step.integer("relu") != 0};
    const float *x = step.in(0).f32(), *weight = step.in(1).f32();
    product = {step, {x, weight, step.out(0).f32(), s.rows, s.units, s.inputs, epilogue}, true, !s.transpose};
  }
  void run(const Launch& launch) const { product.run(launch); }
};

/// dx = dy w. In: dy (rows, units), weight. Out: dx.
struct DenseDgrad {
  DenseShape s;
  MatrixProduct product;

  explicit DenseDgrad(Prepare& step) : s(step, step.out(0), step.in(0), required(step, step.in(1), "a weight"), {}) {
    const float *dy = step.in(0).f32(), *weight = step.in(1).f32();
    product = {step, {dy, weight, step.out(0).f32(), s.rows, s.inputs, s.units, {}}, true, s.transpose};
  }
  void run(const Launch& launch) const { product.run(launch); }
};

/// dw = dy^T x, or its transpose; dbias = sum of dy over rows. In: x, dy. Out: dweight, dbias; either may be absent.
struct DenseWgrad {
  DenseShape s;
  MatrixProduct product;
  PlaneSums bias;

  explicit DenseWgrad(Prepare& step) : s(step, step.in(0), step.in(1), step.out(0), step.out(1)) {
    const float *x = step.in(0).f32(), *dy = step.in(1).f32();
    float* dweight = step.out(0).f32();
    product = s.transpose ? MatrixProduct(step, {x, dy, dweight, s.inputs, s.units, s.rows, {}}, false, false)
                          : MatrixProduct(step, {dy, x, dweight, s.units, s.inputs, s.rows, {}}, false, false);
    bias = {dy, s.rows, s.units, 1, step.out(1).f32()};
    step.scratch(sums_bytes<1>(s.units, s.rows));
  }
  void run(const Launch& launch) const {
    if (product.p.to) product.run(launch);
    if (bias.to) bias.run(launch, launch.scratch);
  }
};

}  // namespace

CORTADO_DENSE_KERNELS(CORTADO_DEFINE_KERNEL)

}  // namespace cortado::cuda
