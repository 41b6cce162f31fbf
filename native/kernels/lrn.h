// Extents of local response normalisation: Caffe's lrn_layer.cpp.
#pragma once

#include "checks.h"
#include "formula.h"

namespace cortado::CORTADO_ISA {

/// Across channels: y = x s^-beta with s = k + factor * (sum of x^2 over 2 half + 1 channels around x's own). x is
/// (images, channels, pixels).
struct LrnAcross {
  int64_t images, channels, pixels, half;
  float factor, k, beta;

  CORTADO_INLINE LrnAcross(Prepare& step, const Tensor& x, DType dtype = DType::f32)
      : images(x.dim[0]), channels(x.dim[1]), pixels(x.count(2, x.rank)), half(step.integer("localSize") / 2) {
    step.expect(x.rank >= 2 && holds(x, x.size(), dtype) && x.size() > 0 && half >= 0, "images and a window");
    factor = static_cast<float>(step.number("alpha") / static_cast<double>(2 * half + 1));
    if (half > channels) half = channels;
    k = static_cast<float>(step.number("k"));
    beta = static_cast<float>(step.number("beta"));
  }
};

/// Within each channel: s = 1 + factor * (sum of x^2 over the pixels at most `half` rows and columns away; those
/// outside count as zero). Caffe ignores k here (WithinChannelForward). x is (planes, h, w).
struct LrnWithinChannel {
  int64_t planes, h, w, half;
  float factor, beta;

  CORTADO_INLINE LrnWithinChannel(Prepare& step, const Tensor& x, DType dtype = DType::f32)
      : planes(x.count(0, 2)), h(x.dim[2]), w(x.dim[3]), half(step.integer("localSize") / 2) {
    step.expect(x.rank == 4 && holds(x, x.size(), dtype) && x.size() > 0 && half >= 0, "images and a window");
    const auto size = static_cast<double>(2 * half + 1);
    factor = static_cast<float>(step.number("alpha") / (size * size));
    beta = static_cast<float>(step.number("beta"));
    if (half > h && half > w) half = h > w ? h : w;
  }
};

/// Looks at the tensors of a normalisation. In: x. Out: y.
CORTADO_INLINE void expect_normalized(Prepare& step, DType dtype = DType::f32) {
  step.expect(holds(step.out(0), step.in(0).size(), dtype), "tensors of one size");
}
/// Looks at those of its gradient. In: dy, x. Out: dx.
CORTADO_INLINE void expect_normalized_gradient(Prepare& step, DType dtype = DType::f32) {
  const int64_t n = step.in(1).size();
  step.expect(holds(step.in(0), n, dtype) && holds(step.out(0), n, dtype), "tensors of one size");
}

}  // namespace cortado::CORTADO_ISA
