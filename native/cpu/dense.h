// Inner products of rows. This is the place where an algorithm is chosen for a shape.
#pragma once

#include "../kernels/products.h"
#include "elementwise.h"
#include "gemm.h"
#include "gemm_few.h"
#include "gemm_rows.h"
#include "reduce_planes.h"

namespace cortado::CORTADO_ISA {
namespace {

/// C (rows, columns) = A (rows, depth) W + bias, rectified if relu, where W is stored (columns, depth) if by_rows, else
/// (depth, columns).
class WeightProduct {
 public:
  WeightProduct(int64_t rows, int64_t columns, int64_t depth, bool by_rows, int threads)
      : few_{rows, columns, depth, nullptr, nullptr, nullptr, false, nullptr},
        by_rows_(by_rows),
        transposed_(rows, columns, depth, threads),
        straight_(rows, columns, depth, threads) {}

  size_t scratch() const { return few() ? 0 : by_rows_ ? transposed_.scratch() : straight_.scratch(); }

  void run(const Run& run, const float* a, const float* weight, const float* bias, bool relu, float* c) const {
    if (few()) {
      const FewRows<float> product{few_.rows, few_.columns, few_.depth, a, weight, bias, relu, c};
      return by_rows_ ? multiply_few_by_rows(run.threads, product) : multiply_few_by_columns(run.threads, product);
    }
    if (by_rows_) return transposed_.run(run, a, weight, bias, relu, c);
    straight_.run(run, {a, few_.depth, false}, weight, {bias, false, Bounds(relu)}, c);
  }

 private:
  bool few() const { return few_.rows <= kFewRows; }

  FewRows<float> few_;
  bool by_rows_;
  RowsProduct transposed_;
  Product straight_;
};

/// y = x w^T + bias, rectified if relu. In: x, weight, bias (units) or absent. Out: y (rows, units). Axes of x before
/// `axis` are rows, the others inputs.
struct Dense {
  Tensor x, weight, bias, y;
  DenseShape shape;
  bool relu;
  WeightProduct product;

  explicit Dense(Prepare& step)
      : x(step.in(0)),
        weight(required(step, step.in(1), "a weight")),
        bias(step.in(2)),
        y(step.out(0)),
        shape(step, x, y, weight, bias),
        relu(step.integer("relu") != 0),
        product(shape.rows, shape.units, shape.inputs, !shape.transpose, step.threads()) {
    step.scratch(product.scratch());
  }
  void run(const Run& run) const { product.run(run, x.f32(), weight.f32(), bias.f32(), relu, y.f32()); }
};

/// dx = dy w. In: dy (rows, units), weight. Out: dx.
struct DenseDgrad {
  Tensor dy, weight, dx;
  DenseShape shape;
  WeightProduct product;

  explicit DenseDgrad(Prepare& step)
      : dy(step.in(0)),
        weight(required(step, step.in(1), "a weight")),
        dx(step.out(0)),
        shape(step, dx, dy, weight, {}),
        product(shape.rows, shape.inputs, shape.units, shape.transpose, step.threads()) {
    step.scratch(product.scratch());
  }
  void run(const Run& run) const { product.run(run, dy.f32(), weight.f32(), nullptr, false, dx.f32()); }
};

/// dw = dy^T x, or its transpose; dbias = sum of dy over rows. In: x, dy. Out: dweight, dbias; either may be absent.
struct DenseWgrad {
  Tensor x, dy, dweight, dbias;
  DenseShape shape;
  Product product;

  explicit DenseWgrad(Prepare& step)
      : x(step.in(0)),
        dy(step.in(1)),
        dweight(step.out(0)),
        dbias(step.out(1)),
        shape(step, x, dy, dweight, dbias),
        product(shape.transpose ? shape.inputs : shape.units, shape.transpose ? shape.units : shape.inputs, shape.rows,
                step.threads()) {
    if (dweight) step.scratch(product.scratch());
  }
  void run(const Run& run) const {
    const Tensor& left = shape.transpose ? x : dy;
    const Tensor& right = shape.transpose ? dy : x;
    const int64_t stride = shape.transpose ? shape.inputs : shape.units;
    if (dweight) product.run(run, {left.f32(), stride, true}, right.f32(), {}, dweight.f32());
    if (dbias) sum_rows(run.threads, dy.f32(), shape.rows, shape.units, dbias.f32());
  }
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
