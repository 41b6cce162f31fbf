// The bias of products: added to them, and its gradient.
#pragma once

#include "column_sums.h"
#include "sums.h"

namespace cortado::cuda {

/// What happens to a sum on its way to memory.
struct Epilogue {
  const float* bias = nullptr;
  bool relu = false;

  __device__ float operator()(int64_t unit, float sum) const { return rectified(bias ? sum + bias[unit] : sum); }
  __device__ float rectified(float v) const { return relu && !(v > 0.0f) ? (v != v ? v : 0.0f) : v; }
};

/// Bias gradient: to (planes) = sums of x (images, planes, pixels) over images and pixels.
struct PlaneSums {
  Tensor x;
  int64_t images, planes, pixels;
  float* to;

  /// Whether each plane's elements are a column of a matrix; otherwise they lie together.
  bool columns() const { return x.channels_last || pixels == 1; }
  ColumnCut cut() const { return column_cut(x.dtype, planes, images * pixels); }
  /// What run() needs of memory for parts.
  size_t bytes() const { return columns() ? cut().bytes() : sums_bytes<1>(planes, images * pixels); }
  void run(const Launch& launch, void* parts) const;
};

}  // namespace cortado::cuda
