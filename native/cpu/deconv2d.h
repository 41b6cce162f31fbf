// Deconvolution as Caffe means it: the input gradient of a convolution as a layer of its own, NCHW.
#pragma once

#include "conv2d_correlation.h"
#include "conv2d_filter_gradient.h"
#include "reduce_planes.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Weight (c, k / groups, r, s); y (n, k, oh, ow), rectified if relu. dx is the convolution of dy.
using Deconv2d = CorrelationStep<Correlation, true, true>;
using Deconv2dDgrad = CorrelationStep<Correlation, false, false>;

/// In: x, dy. Out: dweight, dbias; either may be absent.
struct Deconv2dWgrad {
  Tensor x, dy, dweight, dbias;
  FilterGradient product;

  explicit Deconv2dWgrad(Prepare& step)
      : x(step.in(0)),
        dy(step.in(1)),
        dweight(step.out(0)),
        dbias(step.out(1)),
        product(Conv2dShape(step, dy, x, dweight), step.threads()) {
    step.expect(may_hold(dbias, dy.dim[1]), "a bias for every filter");
    if (dweight) step.scratch(product.scratch());
  }
  void run(const Run& run) const {
    if (dweight) product.run(run, dy.f32(), x.f32(), dweight.f32());
    if (dbias) sum_planes(run.threads, dy.f32(), dy.dim[0], dy.dim[1], dy.count(2, 4), dbias.f32());
  }
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
