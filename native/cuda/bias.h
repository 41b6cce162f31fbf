// The bias of products: added to them, and its gradient.
#pragma once

#include "column_sums.h"
#include "index.h"
#include "numbers.h"
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
  void run(const Launch& launch, void* parts) const {
    with_numbers(x.dtype, [&](auto number) {
      using T = decltype(number);
      if (columns()) return sum_columns(launch, cut(), parts, numbers<T>(x), to);
      with_index(images * pixels, [&](auto index) {
        using I = decltype(index);
        sum_rows<1>(launch, planes, images * pixels, parts,
                    Of<T, I>{numbers<T>(x), planes, pixels, Divisor<I>(pixels), to});
      });
    });
  }

  template <class T, class I>
  struct Of {
    const T* x;
    int64_t planes, pixels;
    Divisor<I> by_pixels;
    float* to;
    __device__ void term(int64_t plane, int64_t i, double (&sums)[1]) const {
      const int64_t image = by_pixels(static_cast<I>(i));
      sums[0] += static_cast<double>(widen(x[(image * (planes - 1) + plane) * pixels + i]));
    }
    __device__ void done(int64_t plane, const double (&sums)[1]) const { to[plane] = static_cast<float>(sums[0]); }
  };
};

}  // namespace cortado::cuda
