// Deconvolution as Caffe means it: the input gradient of a convolution as a layer of its own, NCHW.
#pragma once

#include "conv2d_correlation.h"
#include "conv2d_filter_gradient.h"
#include "reduce_planes.h"

namespace cortado::CORTADO_ISA {
namespace {

/// In: x (n, c, h, w), weight (c, k / groups, r, s), bias (k) or absent. Out: y (n, k, oh, ow), rectified if relu.
struct Deconv2d {
  Tensor x, weight, bias, y;
  bool relu;
  Correlation product;

  explicit Deconv2d(Prepare& step)
      : x(step.in(0)),
        weight(required(step, step.in(1), "a weight")),
        bias(step.in(2)),
        y(step.out(0)),
        relu(step.integer("relu") != 0),
        product(Conv2dShape(step, y, x, weight), true, step.threads()) {
    step.expect(may_hold(bias, y.dim[1]), "a bias for every filter");
    step.scratch(product.scratch());
  }
  void run(const Run& run) const { product.run(run, {x.f32(), weight.f32(), bias.f32(), y.f32(), relu}); }
};

/// In: dy, weight. Out: dx: the convolution of dy.
struct Deconv2dDgrad {
  Tensor dy, weight, dx;
  Correlation product;

  explicit Deconv2dDgrad(Prepare& step)
      : dy(step.in(0)),
        weight(required(step, step.in(1), "a weight")),
        dx(step.out(0)),
        product(Conv2dShape(step, dy, dx, weight), false, step.threads()) {
    step.scratch(product.scratch());
  }
  void run(const Run& run) const { product.run(run, {dy.f32(), weight.f32(), nullptr, dx.f32(), false}); }
};

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
