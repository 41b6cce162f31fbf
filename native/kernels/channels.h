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

}  // namespace cortado::CORTADO_ISA
