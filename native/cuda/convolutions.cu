// Convolution, deconvolution and their gradients. This is the place where an algorithm is chosen for a shape: an engine
// of cuDNN's where it has one, our own otherwise.
#include "correlation.h"
#include "library_convolution.h"
#include "table.h"

namespace cortado::cuda {

namespace {

/// A product of our own, and a plan of cuDNN's for the same where there is one.
template <class P>
struct Convolved {
  Prepared<P> own;
  LibraryConvolution library;

  Convolved(Prepare& step, const P& product, const ConvolutionTensors& tensors, const Epilogue& epilogue)
      : own(step, product), library(step, P::kPass, product.at.s, tensors, epilogue) {}
  void run(const Launch& launch) const {
    // A library does not look whether the run has been halted.
    if (library && !launch.halt) return library.run(launch);
    own.run(launch);
  }
};

/// Features of images: convolution, and the gradient of a deconvolution. In: image, weight. Out: features.
struct Features : Convolved<Correlate> {
  Features(Prepare& step, const Epilogue& epilogue)
      : Convolved(step,
                  {{Conv2dShape(step, step.in(0), step.out(0), required(step, step.in(1), "a weight"))},
                   step.in(0).f32(),
                   step.in(1).f32(),
                   step.out(0).f32(),
                   epilogue},
                  {step.in(0).data, step.in(1).data, epilogue.bias, step.out(0).data, nullptr}, epilogue) {}
};

/// Images of features: deconvolution, and the gradient of a convolution. In: features, weight. Out: image.
struct Images : Convolved<Spread> {
  Images(Prepare& step, const Epilogue& epilogue)
      : Convolved(step,
                  {{Conv2dShape(step, step.out(0), step.in(0), required(step, step.in(1), "a weight"))},
                   step.in(0).f32(),
                   step.in(1).f32(),
                   step.out(0).f32(),
                   epilogue},
                  {step.out(0).data, step.in(1).data, epilogue.bias, step.in(0).data, nullptr}, epilogue) {}
};

Epilogue epilogue_of(Prepare& step) {
  const Tensor bias = step.in(2);
  step.expect(may_hold(bias, step.out(0).dim[1]), "a bias for every filter");
  return {bias.f32(), step.integer("relu") != 0};
}

/// y = w * x + bias, rectified if relu. In: x (n, c, h, w), weight (k, c / groups, r, s), bias (k) or absent. Out: y.
struct Conv2d : Features {
  explicit Conv2d(Prepare& step) : Features(step, epilogue_of(step)) {}
};

/// In: dy, weight. Out: dx.
struct Conv2dDgrad : Images {
  explicit Conv2dDgrad(Prepare& step) : Images(step, {}) {}
};

/// Deconvolution: the input gradient of a convolution as a layer of its own. In: x (n, c, h, w), weight (c, k / groups,
/// r, s), bias (k) or absent. Out: y (n, k, oh, ow), rectified if relu.
struct Deconv2d : Images {
  explicit Deconv2d(Prepare& step) : Images(step, epilogue_of(step)) {}
};

/// In: dy, weight. Out: dx: the convolution of dy.
struct Deconv2dDgrad : Features {
  explicit Deconv2dDgrad(Prepare& step) : Features(step, {}) {}
};

/// In: x, dy. Out: dweight, dbias; either may be absent. `features` is the one of them on the feature side.
struct ConvolutionWgrad {
  Convolved<FilterGradient> product;
  PlaneSums bias;

  ConvolutionWgrad(Prepare& step, const Tensor& image, const Tensor& features)
      : product(step,
                {{Conv2dShape(step, image, features, step.out(0))}, image.f32(), features.f32(), step.out(0).f32()},
                {image.data, step.out(0).data, nullptr, features.data, nullptr}, {}) {
    const Tensor dy = step.in(1);
    bias = {dy.f32(), dy.dim[0], dy.dim[1], dy.count(2, 4), step.out(1).f32()};
    step.expect(may_hold(step.out(1), dy.dim[1]), "a bias for every filter");
    step.scratch(sums_bytes<1>(bias.planes, bias.images * bias.pixels));
  }
  void run(const Launch& launch) const {
    if (product.own.p.dweight) product.run(launch);
    if (bias.to) bias.run(launch, launch.scratch);
  }
};
struct Conv2dWgrad : ConvolutionWgrad {
  explicit Conv2dWgrad(Prepare& step) : ConvolutionWgrad(step, step.in(0), step.in(1)) {}
};
struct Deconv2dWgrad : ConvolutionWgrad {
  explicit Deconv2dWgrad(Prepare& step) : ConvolutionWgrad(step, step.in(1), step.in(0)) {}
};

}  // namespace

CORTADO_CONVOLUTION_KERNELS(CORTADO_DEFINE_KERNEL)

}  // namespace cortado::cuda
