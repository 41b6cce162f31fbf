// Inner products of rows. This is the place where an algorithm is chosen for a shape: cuBLASLt's where it has one, our
// own otherwise.
#include <optional>

#include "../kernels/products.h"
#include "bias.h"
#include "convert.h"
#include "device.h"
#include "product.h"
#include "row_product.h"
#include "table.h"
#include "vendor/vendor.h"

namespace cortado::cuda {

namespace {

/// C (rows, columns) = A (rows, depth) B (depth, columns): plain matrices, each along k in memory or across it.
template <bool kAlongRows, bool kAlongColumns>
struct Matrices {
  static constexpr bool kAlongA = kAlongRows, kAlongB = kAlongColumns;
  int64_t rows, columns, depth;
  Epilogue epilogue;
  const float *left = nullptr, *right = nullptr;
  float* to = nullptr;

  using Row = const float*;
  using Column = const float*;
  __device__ Row row(int64_t, int64_t m) const { return left + (kAlongA ? m * depth : m); }
  __device__ float a(Row row, int64_t k) const { return row[kAlongA ? k : k * rows]; }
  __device__ Column column(int64_t, int64_t n) const { return right + (kAlongB ? n * depth : n); }
  __device__ float b(Column column, int64_t k) const { return column[kAlongB ? k : k * columns]; }
  __device__ void put(int64_t, int64_t m, int64_t n, float sum) const { to[m * columns + n] = epilogue(n, sum); }
};

/// The type in which a library multiplies two factors: their own where both are of 16 bits. float16 beside bfloat16, a
/// value beside a gradient, is rounded to it: the product has no more digits than its worse factor, and a gradient's
/// range. Neither needs a scale, since sums are float32.
inline DType factor_type(const Tensor& left, const Tensor& right) {
  if (left.dtype == DType::f32 || right.dtype == DType::f32) return DType::f32;
  return left.dtype == right.dtype ? left.dtype : DType::bf16;
}

/// The same of tensors, with the sides chosen when a plan is prepared, or a plan of cuBLASLt's. What is not of the type
/// that it is multiplied in is copied, which for the side that is not a weight is little; so is what the library cannot
/// write in its type.
struct MatrixProduct {
  Matrices<true, true> p;
  bool along_a, along_b;
  DType factors, result;
  ProductShape shape;
  Vendor* vendor;
  const Gemm* gemm;
  Brought floats, theirs;  // left, right, to: for our own product, and for the library's

  MatrixProduct(Prepare& step, const Tensor& left, const Tensor& right, const Tensor& to,
                const Matrices<true, true>& extents, bool along_a, bool along_b)
      : p(extents),
        along_a(along_a),
        along_b(along_b),
        factors(factor_type(left, right)),
        result(to.dtype == factors && !p.epilogue.bias ? factors : DType::f32),
        shape(ProductShape::of(1, p.rows, p.columns, p.depth)),
        vendor(&vendor_of(step.device())),
        gemm(to ? vendor->gemm(transposed(step.precision())) : nullptr) {
    if (factors != DType::f32 && !gemm && to) {
      factors = result = DType::f32;
      gemm = vendor->gemm(transposed(step.precision()));
    }
    const size_t own = shape.bytes(), workspace = gemm ? gemm->workspace() : 0,
                 most = own > workspace ? own : workspace;
    step.scratch(most);
    floats = Brought(step, left, right, to, most);
    theirs = Brought(step, left, right, to, most, factors, factors, result);
  }
  void run(const Launch& launch) const {
    // A library does not look whether the run has been halted.
    const bool library = gemm && !launch.halt;
    const Brought& tensors = library ? theirs : floats;
    const void *const left = tensors.bring(launch, 0), *const right = tensors.bring(launch, 1);
    void* const to = tensors.place(launch, 2);
    if (library) {
      vendor->run(*gemm, launch.stream, right, left, p.epilogue.bias, to, launch.scratch);
    } else {
      multiply_own(launch, {p.rows, p.columns, p.depth, p.epilogue, static_cast<const float*>(left),
                            static_cast<const float*>(right), static_cast<float*>(to)});
    }
    tensors.bring_back(launch, 2);
  }

 private:
  /// BLAS has its matrices column by column: what is row by row to us is transposed to it, and so is the product,
  /// C^T = B^T A^T.
  GemmShape transposed(Precision precision) const {
    return {p.columns,       p.rows,    p.depth, along_b, !along_a, p.epilogue.bias != nullptr,
            p.epilogue.relu, precision, factors, result};
  }
  void multiply_own(const Launch& launch, const Matrices<true, true>& own) const {
    if (along_a) return along_b ? start<true, true>(launch, own) : start<true, false>(launch, own);
    along_b ? start<false, true>(launch, own) : start<false, false>(launch, own);
  }
  template <bool kAlongRows, bool kAlongColumns>
  void start(const Launch& launch, const Matrices<true, true>& own) const {
    multiply(launch, shape,
             Matrices<kAlongRows, kAlongColumns>{own.rows, own.columns, own.depth, own.epilogue, own.left, own.right,
                                                 own.to});
  }
};

DenseShape shape_of(Prepare& step, const Tensor& x, const Tensor& y, const Tensor& weight, const Tensor& bias) {
  return DenseShape(step, x, y, weight, bias, number_type(x), number_type(y), number_type(weight));
}

/// y = x w^T + bias, rectified if relu. In: x, weight, bias (units) or absent. Out: y (rows, units). Axes of x before
/// `axis` are rows, the others inputs.
struct Dense {
  Tensor x, weight, y;
  DenseShape s;
  Epilogue epilogue;
  std::optional<MatrixProduct> product;  // of more rows than one

  explicit Dense(Prepare& step)
      : x(step.in(0)),
        weight(required(step, step.in(1), "a weight")),
        y(step.out(0)),
        s(shape_of(step, x, y, weight, step.in(2))),
        epilogue{step.in(2).f32(), step.integer("relu") != 0} {
    if (s.transpose || !fits_row_product(s.rows, s.inputs))
      product.emplace(step, x, weight, y, Matrices<true, true>{s.rows, s.units, s.inputs, epilogue}, true,
                      !s.transpose);
  }
  void run(const Launch& launch) const {
    if (product) return product->run(launch);
    multiply_row(launch, x, weight, y, s.units, s.inputs, epilogue);
  }
};

/// dx = dy w. In: dy (rows, units), weight. Out: dx.
struct DenseDgrad {
  DenseShape s;
  MatrixProduct product;

  explicit DenseDgrad(Prepare& step)
      : s(shape_of(step, step.out(0), step.in(0), required(step, step.in(1), "a weight"), {})),
        product(step, step.in(0), step.in(1), step.out(0), {s.rows, s.inputs, s.units, {}}, true, s.transpose) {}
  void run(const Launch& launch) const { product.run(launch); }
};

/// dw = dy^T x, or its transpose; dbias = sum of dy over rows. In: x, dy. Out: dweight, dbias; either may be absent.
struct DenseWgrad {
  DenseShape s;
  bool wanted;
  MatrixProduct product;
  PlaneSums bias;

  explicit DenseWgrad(Prepare& step)
      : s(shape_of(step, step.in(0), step.in(1), step.out(0), step.out(1))),
        wanted(step.out(0)),
        product(step, step.in(s.transpose ? 0 : 1), step.in(s.transpose ? 1 : 0), step.out(0),
                {s.transpose ? s.inputs : s.units, s.transpose ? s.units : s.inputs, s.rows, {}}, false, false) {
    bias = {step.in(1), s.rows, s.units, 1, step.out(1).f32()};
    step.scratch(bias.bytes());
  }
  void run(const Launch& launch) const {
    if (wanted) product.run(launch);
    if (bias.to) bias.run(launch, launch.scratch);
  }
};

}  // namespace

CORTADO_DENSE_KERNELS(CORTADO_DEFINE_KERNEL)

}  // namespace cortado::cuda
