// Tensors as (outer, channels, inner), where each channel has numbers of its own.
#pragma once

#include "checks.h"
#include "formula.h"

namespace cortado::CORTADO_ISA {

struct Channels {
  int64_t outer, channels, inner;

  CORTADO_FORMULA int64_t size() const { return outer * channels * inner; }
  /// Elements that share a channel.
  CORTADO_FORMULA int64_t each() const { return outer * inner; }
};

/// The axes [axis, axis + numAxes) of x as channels.
CORTADO_INLINE Channels channels_along(Prepare& step, const Tensor& x) {
  const int64_t axis = step.integer("axis"), axes = step.integer("numAxes");
  step.expect(axis >= 0 && axis <= x.rank && axes >= 0 && axes <= x.rank - axis, "axes of x");
  step.expect(holds(x, x.size()) && x.size() > 0, "a tensor with axes");
  const int first = static_cast<int>(axis), last = static_cast<int>(axis + axes);
  return {x.count(0, first), x.count(first, last), x.count(last, x.rank)};
}

/// Extents of a scale. In: x, factors, addends or absent. Out: y.
CORTADO_INLINE Channels scaled_channels(Prepare& step) {
  const Channels shape = channels_along(step, step.in(0));
  step.expect(holds(step.in(1), shape.channels) && may_hold(step.in(2), shape.channels), "factors along the axes");
  step.expect(holds(step.out(0), shape.size()), "tensors of one size");
  return shape;
}
/// Extents of a bias. In: x, addends. Out: y.
CORTADO_INLINE Channels biased_channels(Prepare& step) {
  const Channels shape = channels_along(step, step.in(0));
  step.expect(holds(step.in(1), shape.channels) && holds(step.out(0), shape.size()), "addends along the axes");
  return shape;
}
/// Extents of the gradients of factors and addends. In: dy, x (may be absent where no factors are wanted). Out: either.
CORTADO_INLINE Channels summed_channels(Prepare& step) {
  const Channels shape = channels_along(step, step.in(0));
  const bool factors = static_cast<bool>(step.out(0));
  step.expect(factors ? holds(step.in(1), shape.size()) : may_hold(step.in(1), shape.size()), "tensors of one size");
  step.expect(may_hold(step.out(0), shape.channels) && may_hold(step.out(1), shape.channels), "sums along the axes");
  return shape;
}

/// One channel for each of axis 1, or of axis 0 where there is no other.
CORTADO_INLINE Channels channels_of(Prepare& step, const Tensor& x) {
  step.expect(x.rank > 0 && holds(x, x.size()) && x.size() > 0, "channels");
  if (x.rank == 1) return {x.dim[0], 1, 1};
  return {x.dim[0], x.dim[1], x.count(2, x.rank)};
}

/// Each image, or each plane, as one channel of an image that holds them all.
CORTADO_INLINE Channels rows_of(Prepare& step, const Tensor& x, bool across_channels) {
  step.expect(x.rank > 0 && holds(x, x.size()) && x.size() > 0, "images");
  const int64_t rows = across_channels || x.rank < 2 ? x.dim[0] : x.dim[0] * x.dim[1];
  return {1, rows, x.size() / rows};
}

/// The slope's extents: one for each of x's channels, or one for all.
CORTADO_INLINE Channels slopes_of(Prepare& step, const Tensor& x, const Tensor& slope) {
  step.expect(x.rank >= 2 && holds(x, x.size()) && x.size() > 0, "channels");
  step.expect(holds(slope, 1) || holds(slope, x.dim[1]), "a slope for every channel");
  if (slope.size() == 1) return {1, 1, x.size()};
  return {x.dim[0], x.dim[1], x.count(2, x.rank)};
}
/// Of a PReLU. In: x, slope. Out: y.
CORTADO_INLINE Channels slopes_of(Prepare& step) {
  const Channels shape = slopes_of(step, step.in(0), step.in(1));
  step.expect(holds(step.out(0), shape.size()), "tensors of one size");
  return shape;
}
/// Of its gradients. In: dy, x, slope. Out: dx, dslope; either may be absent.
CORTADO_INLINE Channels slopes_of_gradient(Prepare& step) {
  const Channels shape = slopes_of(step, step.in(1), step.in(2));
  step.expect(holds(step.in(0), shape.size()) && may_hold(step.out(0), shape.size()), "tensors of one size");
  step.expect(may_hold(step.out(1), step.in(2).size()), "a gradient for every slope");
  return shape;
}

}  // namespace cortado::CORTADO_ISA
