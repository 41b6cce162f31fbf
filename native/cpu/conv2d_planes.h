// From columns to planes: a convolution's products, a row for each pixel, on their way to NCHW.
#pragma once

#include "bounds.h"
#include "conv2d_shape.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Output planes of one image that a panel of products fills, and what is done to the sums on their way: bias (or
/// nullptr) of each plane added, then held between bounds.
struct OutputPlanes {
  float* data;
  int64_t stride, planes;  // from one to the next; how many
  const float* bias;
  Bounds bounds;

  /// For the tile at pixel `first` of `count`: calls lines that the sums will be written to, each tile those of some of
  /// the planes, so that all of them are on their way when the last tile begins. place(i) is where pixel i lies. To the
  /// second-level cache: called to the first, they keep small images on two threads waiting.
  template <class Place>
  CORTADO_INLINE void call(int64_t first, int64_t count, const Place& place) const {
    constexpr int64_t kLine = 16, kShares = divide_up(kLine, kTileRows);  // floats, tiles
    const int64_t last = smaller(count, first / kLine * kLine + kLine) - 1;
    const float* line = data + place(last);
    for (int64_t plane = first / kTileRows % kShares; plane < planes; plane += kShares) {
      __builtin_prefetch(line + plane * stride, 0, 2);
    }
  }

  /// A row of products, whole vectors of `width` floats in all, for each of pixels <= kLanes neighbours from `place`
  /// on.
  CORTADO_INLINE void put(const float* products, int64_t width, int64_t pixels, int64_t place) const {
    each_square(products, width, pixels, [&](int64_t plane, int64_t lanes, const Vf(&v)[kLanes]) {
      float* to = data + plane * stride + place;
      if (pixels == kLanes && lanes == kLanes) {
#pragma GCC unroll 16
        for (int j = 0; j < kLanes; ++j, to += stride) store(to, v[j]);
      } else {
        for (int64_t j = 0; j < lanes; ++j, to += stride) store_part(to, v[j], pixels);
      }
    });
  }

  /// The same for pixels that lie apart, at the places `to`.
  CORTADO_INLINE void scatter(const float* products, int64_t width, int64_t pixels, const int64_t* to) const {
    each_square(products, width, pixels, [&](int64_t plane, int64_t lanes, const Vf(&v)[kLanes]) {
      for (int64_t j = 0; j < lanes; ++j) {
        for (int64_t i = 0; i < pixels; ++i) data[(plane + j) * stride + to[i]] = v[j][i];
      }
    });
  }

 private:
  /// f(plane, how many exist, vectors of pixels for each plane from there on).
  template <class F>
  CORTADO_INLINE void each_square(const float* products, int64_t width, int64_t pixels, const F& f) const {
    const Bounds own = bounds;
    for (int64_t plane = 0; plane < planes; plane += kLanes) {
      const int64_t lanes = smaller(kLanes, planes - plane);
      const Vf shift = bias == nullptr ? zero() : load_lanes(bias + plane, lanes);
      Vf v[kLanes];
      const float* from = products + plane;
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i, from += width) v[i] = i < pixels ? own.hold(load(from) + shift) : zero();
      transpose(v);
      f(plane, lanes, v);
    }
  }
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
