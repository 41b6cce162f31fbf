// Convolutions in bfloat16, where Winograd's algorithm does not do fewer multiplications still: images, filters and
// gradients rounded on their way into the products, sums, bias and results in float.
#pragma once

#include "conv2d_bf16_forward.h"
#include "conv2d_bf16_wgrad.h"
#include "conv2d_step.h"
#include "reduce_planes.h"

namespace cortado::CORTADO_ISA {
namespace {

/// weight (k, c / groups, r, s) -> the same rounded, in the order of Conv2dBf16.
struct Conv2dBf16Filters {
  Tensor weight, packed;
  PairedFilters filters;

  explicit Conv2dBf16Filters(Prepare& step)
      : weight(required(step, step.in(0), "a weight")), packed(step.out(0)), filters(shape(step)) {
    step.expect(packed.dtype == DType::bf16 && packed.size() >= 2 * filters.size(), "room for the filters");
    step.scratch(filters.scratch(step.threads()));
  }
  void run(const Run& run) const { filters.pack(run, weight.f32(), packed.f32()); }

 private:
  Conv2dShape shape(Prepare& step) const {
    Conv2dShape shape(step, weight);
    shape.width.dilation = step.integer("dilationW");
    return shape;
  }
};

/// Conv2d with weights of Conv2dBf16Filters.
struct Conv2dBf16 {
  Tensor x, packed, bias, y;
  Bounds bounds;
  CorrelationBf16 product;

  explicit Conv2dBf16(Prepare& step)
      : x(step.in(0)),
        packed(required(step, step.in(1), "filters")),
        bias(step.in(2)),
        y(step.out(0)),
        bounds(step),
        product(Conv2dShape(step, x, y, weight_of(step, x, y, packed)), step.threads()) {
    step.expect(packed.dtype == DType::bf16 && packed.size() >= 2 * product.filters().size(), "filters for these maps");
    step.expect(may_hold(bias, y.dim[1]), "a bias for every filter");
    step.scratch(product.scratch());
  }
  void run(const Run& run) const { product.run(run, {x.f32(), packed.f32(), bias.f32(), y.f32(), bounds}); }
};

/// Conv2dWgrad in bfloat16. In: x, dy. Out: dweight, dbias or absent.
struct Conv2dBf16Wgrad {
  Tensor x, dy, dweight, dbias;
  FilterGradientBf16 product;

  explicit Conv2dBf16Wgrad(Prepare& step)
      : x(step.in(0)),
        dy(step.in(1)),
        dweight(required(step, step.out(0), "a gradient of the weight")),
        dbias(step.out(1)),
        product(Conv2dShape(step, x, dy, dweight), step.threads()) {
    step.expect(may_hold(dbias, dy.dim[1]), "a bias for every filter");
    step.scratch(product.scratch());
  }
  void run(const Run& run) const {
    product.run(run, x.f32(), dy.f32(), dweight.f32());
    if (dbias) sum_planes(run.threads, dy.f32(), dy.dim[0], dy.dim[1], dy.count(2, 4), dbias.f32());
  }
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
