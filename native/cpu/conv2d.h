// Convolution, NCHW, by the direct algorithm, which does any shape. Passes put other kernels in its place where those
// are the sooner done.
#pragma once

#include "conv2d_correlation.h"
#include "conv2d_filter_gradient.h"
#include "reduce_planes.h"

namespace cortado::CORTADO_ISA {
namespace {

/// y = w * x + bias, rectified if relu, and the gradient of x.
using Conv2d = CorrelationStep<Correlation, false, true>;
using Conv2dDgrad = CorrelationStep<Correlation, true, false>;

/// weight (k, c / groups, r, s) -> the same in the order of Conv2dPacked.
struct Conv2dFilters {
  Tensor weight, packed;
  CorrelationWeights weights;

  explicit Conv2dFilters(Prepare& step)
      : weight(required(step, step.in(0), "a weight")), packed(step.out(0)), weights(Conv2dShape(step, weight), false) {
    step.expect(holds(packed, packed.size()) && packed.size() >= weights.size(), "room for the filters");
  }
  void run(const Run& run) const { weights.pack(run.threads, weight.f32(), packed.f32()); }
};

/// Conv2d with weights of Conv2dFilters.
struct Conv2dPacked {
  Tensor x, packed, bias, y;
  Bounds bounds;
  Correlation product;

  explicit Conv2dPacked(Prepare& step)
      : x(step.in(0)),
        packed(required(step, step.in(1), "filters")),
        bias(step.in(2)),
        y(step.out(0)),
        bounds(step),
        product(Conv2dShape(step, x, y, weight_of(step, x, y, packed)), false, step.threads(), true) {
    step.expect(holds(packed, packed.size()) && packed.size() >= product.weights().size(), "filters for these maps");
    step.expect(may_hold(bias, y.dim[1]), "a bias for every filter");
    step.scratch(product.scratch(step.threads()));
  }
  void run(const Run& run) const { product.run(run, {x.f32(), packed.f32(), bias.f32(), y.f32(), bounds}); }
};

/// In: x, dy. Out: dweight, dbias; either may be absent.
struct Conv2dWgrad {
  Tensor x, dy, dweight, dbias;
  FilterGradient product;

  explicit Conv2dWgrad(Prepare& step)
      : x(step.in(0)),
        dy(step.in(1)),
        dweight(step.out(0)),
        dbias(step.out(1)),
        product(Conv2dShape(step, x, dy, dweight), step.threads()) {
    step.expect(may_hold(dbias, dy.dim[1]), "a bias for every filter");
    if (dweight) step.scratch(product.scratch());
  }
  void run(const Run& run) const {
    if (dweight) product.run(run, x.f32(), dy.f32(), dweight.f32());
    if (dbias) sum_planes(run.threads, dy.f32(), dy.dim[0], dy.dim[1], dy.count(2, 4), dbias.f32());
  }
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
