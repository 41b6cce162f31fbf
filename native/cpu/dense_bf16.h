// Dense layers in bfloat16: x, weights and gradients rounded on their way into the products, sums, bias and results in
// float. The weights that are learned stay float.
#pragma once

#include "dense.h"
#include "gemm_bf16.h"
#include "gemm_outer_bf16.h"
#include "gemm_rows_bf16.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Weight (units, inputs) -> the same rounded, its rows filled up with zeros to an even length.
struct ToBf16 {
  const float* x;
  uint16_t* y;
  int64_t rows, columns;

  explicit ToBf16(Prepare& step) : x(step.in(0).f32()), y(step.out(0).bf16()) {
    const Tensor from = step.in(0), to = step.out(0);
    step.expect(from.rank == 2 && holds(from, from.size()), "a weight of 2 axes");
    rows = from.dim[0];
    columns = from.dim[1];
    step.expect(holds(to, rows * round_up(columns, 2), DType::bf16), "room for it, in even rows");
  }

  void run(const Run& run) const {
    for_slices(run.threads, rows, divide_up(kElementGrain, columns), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) round_row(x + i * columns, columns, y + i * round_up(columns, 2));
    });
  }
};

/// Dense with a weight (units, inputs) as it is learned, or of ToBf16; for few rows of x the latter alone is rounded.
struct DenseBf16 {
  Tensor x, weight, bias, y;
  int64_t rows, inputs, units;
  bool relu;
  RowsProductBf16 product;

  explicit DenseBf16(Prepare& step)
      : x(step.in(0)),
        weight(required(step, step.in(1), "a weight")),
        bias(step.in(2)),
        y(step.out(0)),
        rows(x.count(0, static_cast<int>(axis(step)))),
        inputs(x.count(static_cast<int>(axis(step)), x.rank)),
        units(y.dim[y.rank - 1]),
        relu(step.integer("relu") != 0),
        product(rows, units, inputs, step.threads()) {
    step.expect(rows > 0 && inputs > 0 && units > 0 && y.size() == rows * units, "as many rows of y as of x");
    step.expect(holds(weight, inputs * units) || holds(weight, round_up(inputs, 2) * units, DType::bf16),
                "a weight for these inputs and units");
    step.expect(may_hold(bias, units), "a bias for every unit");
    if (!few()) step.scratch(product.scratch());
  }

  void run(const Run& run) const {
    const int64_t even = round_up(inputs, 2);
    if (weight.dtype == DType::f32) {
      product.run(run, x.f32(), TallFactor<float>{weight.f32(), inputs}, bias.f32(), relu, y.f32());
    } else if (few()) {
      multiply_few_by_rows(
          run.threads, FewRows<uint16_t>{rows, units, inputs, x.f32(), weight.bf16(), bias.f32(), relu, y.f32(), even});
    } else {
      product.run(run, x.f32(), TallFactor<uint16_t>{weight.bf16(), even}, bias.f32(), relu, y.f32());
    }
  }

 private:
  bool few() const { return rows <= kFewRows && weight.dtype == DType::bf16; }

  int64_t axis(Prepare& step) const {
    const int64_t axis = step.integer("axis");
    step.expect(holds(x, x.size()) && holds(y, y.size()) && axis >= 0 && axis <= x.rank && y.rank > 0,
                "inputs and outputs");
    return axis;
  }
};

/// DenseDgrad in bfloat16. In: dy (rows, units), weight (units, inputs). Out: dx.
struct DenseBf16Dgrad {
  Tensor dy, weight, dx;
  DenseShape shape;
  ProductBf16 product;

  explicit DenseBf16Dgrad(Prepare& step)
      : dy(step.in(0)),
        weight(required(step, step.in(1), "a weight")),
        dx(step.out(0)),
        shape(step, dx, dy, weight, {}),
        product(shape.rows, shape.inputs, shape.units, step.threads()) {
    step.expect(!shape.transpose, "a weight (units, inputs)");
    step.scratch(product.scratch());
  }
  void run(const Run& run) const { product.run(run, dy.f32(), weight.f32(), dx.f32()); }
};

/// DenseWgrad in bfloat16. In: x, dy. Out: dweight (units, inputs), dbias or absent.
struct DenseBf16Wgrad {
  Tensor x, dy, dweight, dbias;
  DenseShape shape;
  OuterProductBf16 product;

  explicit DenseBf16Wgrad(Prepare& step)
      : x(step.in(0)),
        dy(step.in(1)),
        dweight(required(step, step.out(0), "a gradient of the weight")),
        dbias(step.out(1)),
        shape(step, x, dy, dweight, dbias),
        product(shape.units, shape.inputs, shape.rows, step.threads()) {
    step.expect(!shape.transpose, "a weight (units, inputs)");
    step.scratch(product.scratch());
  }
  void run(const Run& run) const {
    product.run(run, dy.f32(), x.f32(), dweight.f32());
    if (dbias) sum_rows(run.threads, dy.f32(), shape.rows, shape.units, dbias.f32());
  }
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
