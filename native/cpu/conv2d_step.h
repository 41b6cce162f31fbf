// The steps that a correlation, or the gradient of its filters, is a kernel of: their tensors, whatever computes them.
#pragma once

#include "bounds.h"
#include "conv2d_shape.h"

namespace cortado::CORTADO_ISA {
namespace {

/// The operands of a run: source and output planes, weights as the convolution keeps them, bias (or nullptr) per output
/// plane. Weights may come packed, from CorrelationWeights.
struct CorrelationData {
  const float *source, *weight, *bias;
  float* output;
  Bounds bounds;
};

/// The extents of the weight that the filters of a convolution of x, which makes y, were packed of.
inline Tensor weight_of(Prepare& step, const Tensor& x, const Tensor& y, Tensor filters) {
  const int64_t groups = step.integer("groups");
  step.expect(groups > 0 && x.rank == 4 && y.rank == 4, "images in groups");
  filters.dtype = DType::f32;
  filters.rank = 4;
  filters.dim[0] = y.dim[1];
  filters.dim[1] = x.dim[1] / groups;
  filters.dim[2] = step.integer("kernelH");
  filters.dim[3] = step.integer("kernelW");
  return filters;
}

/// A convolution, a deconvolution or the gradient of one's input, by any of the correlations: from the image to the
/// features or backward, and with a bias and a ReLU, as layers have them, or without. In: source, weight (features,
/// channels / groups, r, s), of layers also a bias per output plane, or absent. Out: output.
template <class AnyCorrelation, bool kBackward, bool kLayer>
struct CorrelationStep {
  Tensor source, weight, bias, output;
  Bounds bounds;
  AnyCorrelation product;

  explicit CorrelationStep(Prepare& step)
      : source(step.in(0)),
        weight(required(step, step.in(1), "a weight")),
        bias(kLayer ? step.in(2) : Tensor{}),
        output(step.out(0)),
        bounds(kLayer ? Bounds(step) : Bounds()),
        product(shape(step), kBackward, step.threads()) {
    step.expect(product.fits(), "taps and strides that this kernel can do");
    step.expect(may_hold(bias, output.dim[1]), "a bias for every filter");
    step.scratch(product.scratch(step.threads()));
  }
  void run(const Run& run) const { product.run(run, {source.f32(), weight.f32(), bias.f32(), output.f32(), bounds}); }

 private:
  Conv2dShape shape(Prepare& step) const {
    return kBackward ? Conv2dShape(step, output, source, weight) : Conv2dShape(step, source, output, weight);
  }
};

/// The gradient of a convolution's filters and of a bias per filter, by any of the algorithms that make both. In: x,
/// dy. Out: dweight, dbias; dbias may be absent.
template <class AnyFilterGradient>
struct FilterGradientStep {
  Tensor x, dy, dweight, dbias;
  AnyFilterGradient product;

  explicit FilterGradientStep(Prepare& step)
      : x(step.in(0)),
        dy(step.in(1)),
        dweight(required(step, step.out(0), "a gradient of the weight")),
        dbias(step.out(1)),
        product(Conv2dShape(step, x, dy, dweight)) {
    step.expect(product.fits(), "taps, groups and strides that this kernel can do");
    step.expect(may_hold(dbias, dy.dim[1]), "a bias for every filter");
    step.scratch(product.scratch(step.threads()));
  }
  void run(const Run& run) const { product.run(run, x.f32(), dy.f32(), dweight.f32(), dbias.f32()); }
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
