// Convolution, deconvolution and their gradients. This is the place where an algorithm is chosen for a shape: an engine
// of cuDNN's where it has one, Winograd's where that was measured to be faster, our own product otherwise.
#include "convert.h"
#include "correlation.h"
#include "layouts.h"
#include "library_convolution.h"
#include "table.h"
#include "winograd.h"

namespace cortado::cuda {

namespace {

/// A product of our own, for which all tensors are float32 with channels first, and for the same a plan of cuDNN's or
/// Winograd's way where there is one.
template <class P>
struct Convolved : TakesAny {
  P p;
  ProductShape shape;
  LibraryConvolution library;
  std::optional<Winograd> winograd;
  Brought tensors;  // image, weight, features

  Convolved(Prepare& step, const Tensor& image, const Tensor& weight, const Tensor& features, const Epilogue& epilogue)
      : p{{Conv2dShape(step, image, features, weight, number_type(image), number_type(features), number_type(weight))},
          epilogue},
        shape(p.shape()),
        library(step, P::kPass, p.at.s, image, weight, features, epilogue, own()),
        winograd(winograd_for(step, image, weight, features)),
        tensors(step, image, weight, features, shape.bytes()) {
    step.scratch(shape.bytes());
    if (winograd) {
      step.scratch(winograd->workspace());
    } else if (library) {
      step.scratch(library.bytes());
    }
  }
  void run(const Launch& launch) const {
    // A library does not look whether the run has been halted.
    if (winograd && !launch.halt) {
      const auto floats = [&](int i) { return static_cast<float*>(tensors.place(launch, i)); };
      return winograd->run(launch, floats(0), floats(1), floats(2), p.epilogue);
    }
    if (library && !launch.halt) return library.run(launch);
    constexpr int kResult = P::kPass == Pass::image ? 0 : P::kPass == Pass::weight ? 1 : 2;
    const auto place = [&](int i) {
      return static_cast<float*>(i == kResult ? tensors.place(launch, i) : tensors.bring(launch, i));
    };
    P own = p;
    own.images = place(0);
    own.weight = place(1);
    own.features = place(2);
    multiply(launch, shape, own);
    tensors.bring_back(launch, kResult);
  }

 private:
  /// The same, for tensors of float32 with channels first anywhere.
  Vendor::OwnConvolution own() const {
    const auto floats = [](const void* data) { return static_cast<float*>(const_cast<void*>(data)); };
    const auto run = [product = p, shape = shape, floats](cudaStream_t stream, const ConvolutionShape& wanted,
                                                          const ConvolutionTensors& t) {
      P own = product;
      own.epilogue = {wanted.bias ? floats(t.bias) : nullptr, wanted.relu};
      own.images = floats(t.image);
      own.weight = floats(t.weight);
      own.features = floats(t.features);
      multiply({stream, t.workspace, nullptr}, shape, own);
    };
    return {run, shape.bytes()};
  }
  std::optional<Winograd> winograd_for(Prepare& step, const Tensor& image, const Tensor& weight,
                                       const Tensor& features) const {
    if (step.precision() != Precision::f32) return std::nullopt;
    for (const Tensor& t : {image, weight, features})
      if (!t || t.dtype != DType::f32 || t.channels_last) return std::nullopt;
    // Of other results, libraries know no epilogue.
    const Epilogue known = P::kPass == Pass::features ? p.epilogue : Epilogue{};
    return fastest_winograd(vendor_of(step.device()), described(P::kPass, Precision::f32, p.at.s, known), p.at.s, own(),
                            {static_cast<bool>(library), library.milliseconds()});
  }
};

/// Features of images: convolution, and the gradient of a deconvolution. In: image, weight. Out: features.
struct Features : Convolved<Correlate> {
  Features(Prepare& step, const Epilogue& epilogue)
      : Convolved(step, step.in(0), required(step, step.in(1), "a weight"), step.out(0), epilogue) {}
};

/// Images of features: deconvolution, and the gradient of a convolution. In: features, weight. Out: image.
struct Images : Convolved<Spread> {
  Images(Prepare& step, const Epilogue& epilogue)
      : Convolved(step, step.out(0), required(step, step.in(1), "a weight"), step.in(0), epilogue) {}
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
struct ConvolutionWgrad : TakesAny {
  Convolved<FilterGradient> product;
  bool wanted;
  PlaneSums bias;

  ConvolutionWgrad(Prepare& step, const Tensor& image, const Tensor& features)
      : product(step, image, step.out(0), features, {}), wanted(step.out(0)) {
    const Tensor dy = step.in(1);
    bias = {dy, dy.dim[0], dy.dim[1], dy.count(2, 4), step.out(1).f32()};
    step.expect(may_hold(step.out(1), dy.dim[1]), "a bias for every filter");
    step.scratch(bias.bytes());
  }
  void run(const Launch& launch) const {
    if (wanted) product.run(launch);
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
