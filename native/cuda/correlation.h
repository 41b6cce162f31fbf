// Convolution and its gradients as products of our own: where there is no library for them, or no engine in it.
#pragma once

#include "../kernels/products.h"
#include "bias.h"
#include "product.h"
#include "vendor/convolution_shape.h"

namespace cortado::cuda {

/// One pixel of one image.
struct Pixel {
  int64_t image, y, x;
  Pixel() = default;
  __device__ Pixel(int64_t i, int64_t height, int64_t width)
      : image(i / (height * width)), y(i / width % height), x(i % width) {}
};

/// One weight of a filter: its channel and tap.
struct Tap {
  int64_t channel, r, s;
  Tap() = default;
  __device__ Tap(int64_t i, const Conv2dShape& s)
      : channel(i / s.taps()), r(i / s.width.taps % s.height.taps), s(i % s.width.taps) {}
};

/// Tensors of a convolution with its extents: images, features, weight.
struct Places {
  Conv2dShape s;

  __device__ int64_t image(int64_t n, int64_t channel, int64_t y, int64_t x) const {
    return ((n * s.groups * s.channels + channel) * s.height.image + y) * s.width.image + x;
  }
  __device__ int64_t feature(int64_t n, int64_t filter, int64_t y, int64_t x) const {
    return ((n * s.groups * s.filters + filter) * s.height.features + y) * s.width.features + x;
  }
  /// The image's element that `tap` of a window at `pixel` of the features meets, or 0 in the padding.
  __device__ float under(const float* images, int64_t group, const Pixel& pixel, const Tap& tap) const {
    const int64_t y = pixel.y * s.height.stride - s.height.pad + tap.r * s.height.dilation;
    const int64_t x = pixel.x * s.width.stride - s.width.pad + tap.s * s.width.dilation;
    if (y < 0 || y >= s.height.image || x < 0 || x >= s.width.image) return 0.0f;
    return images[image(pixel.image, group * s.channels + tap.channel, y, x)];
  }
};

/// features (filter; image, pixel) = weight (filter; channel, tap) * images under the window.
struct Correlate {
  static constexpr Pass kPass = Pass::features;
  static constexpr bool kAlongA = true, kAlongB = false;
  Places at;
  Epilogue epilogue;
  float *images = nullptr, *weight = nullptr, *features = nullptr;

  using Row = const float*;
  struct Column {
    int64_t group;
    Pixel pixel;
  };
  ProductShape shape() const {
    const Conv2dShape& s = at.s;
    return ProductShape::of(s.groups, s.filters, s.images * s.pixels(), s.channels * s.taps());
  }
  __device__ Row row(int64_t group, int64_t filter) const {
    return weight + (group * at.s.filters + filter) * at.s.channels * at.s.taps();
  }
  __device__ float a(Row row, int64_t k) const { return row[k]; }
  __device__ Column column(int64_t group, int64_t n) const {
    return {group, Pixel(n, at.s.height.features, at.s.width.features)};
  }
  __device__ float b(const Column& c, int64_t k) const { return at.under(images, c.group, c.pixel, Tap(k, at.s)); }
  __device__ void put(int64_t group, int64_t filter, int64_t n, float sum) const {
    const Pixel pixel(n, at.s.height.features, at.s.width.features);
    const int64_t plane = group * at.s.filters + filter;
    features[at.feature(pixel.image, plane, pixel.y, pixel.x)] = epilogue(plane, sum);
  }
};

/// images (channel; image, pixel) = weight (channel; filter, tap) * features whose windows cover the pixel.
struct Spread {
  static constexpr Pass kPass = Pass::image;
  static constexpr bool kAlongA = true, kAlongB = false;
  Places at;
  Epilogue epilogue;
  float *images = nullptr, *weight = nullptr, *features = nullptr;

  struct Row {
    int64_t group, channel;
  };
  struct Column {
    int64_t group;
    Pixel pixel;
  };
  ProductShape shape() const {
    const Conv2dShape& s = at.s;
    return ProductShape::of(s.groups, s.channels, s.images * s.height.image * s.width.image, s.filters * s.taps());
  }
  __device__ Row row(int64_t group, int64_t channel) const { return {group, channel}; }
  __device__ float a(const Row& row, int64_t k) const {
    const int64_t filter = row.group * at.s.filters + k / at.s.taps();
    return weight[(filter * at.s.channels + row.channel) * at.s.taps() + k % at.s.taps()];
  }
  __device__ Column column(int64_t group, int64_t n) const {
    return {group, Pixel(n, at.s.height.image, at.s.width.image)};
  }
  __device__ float b(const Column& c, int64_t k) const {
    const Tap tap(k, at.s);  // its channel is the filter
    const int64_t y = c.pixel.y + at.s.height.pad - tap.r * at.s.height.dilation;
    const int64_t x = c.pixel.x + at.s.width.pad - tap.s * at.s.width.dilation;
    if (y < 0 || x < 0 || y % at.s.height.stride != 0 || x % at.s.width.stride != 0) return 0.0f;
    const int64_t oh = y / at.s.height.stride, ow = x / at.s.width.stride;
    if (oh >= at.s.height.features || ow >= at.s.width.features) return 0.0f;
    return features[at.feature(c.pixel.image, c.group * at.s.filters + tap.channel, oh, ow)];
  }
  __device__ void put(int64_t group, int64_t channel, int64_t n, float sum) const {
    const Pixel pixel(n, at.s.height.image, at.s.width.image);
    const int64_t plane = group * at.s.channels + channel;
    images[at.image(pixel.image, plane, pixel.y, pixel.x)] = epilogue(plane, sum);
  }
};

/// weight (filter; channel, tap) = features (filter; image, pixel) * images under the window.
struct FilterGradient {
  static constexpr Pass kPass = Pass::weight;
  static constexpr bool kAlongA = true, kAlongB = true;
  Places at;
  Epilogue epilogue;  // none
  float *images = nullptr, *weight = nullptr, *features = nullptr;

  struct Row {
    int64_t plane;
  };
  struct Column {
    int64_t group;
    Tap tap;
  };
  ProductShape shape() const {
    const Conv2dShape& s = at.s;
    return ProductShape::of(s.groups, s.filters, s.channels * s.taps(), s.images * s.pixels());
  }
  __device__ Row row(int64_t group, int64_t filter) const { return {group * at.s.filters + filter}; }
  __device__ float a(const Row& row, int64_t k) const {
    const int64_t pixels = at.s.pixels();
    return features[(k / pixels * at.s.groups * at.s.filters + row.plane) * pixels + k % pixels];
  }
  __device__ Column column(int64_t group, int64_t n) const { return {group, Tap(n, at.s)}; }
  __device__ float b(const Column& c, int64_t k) const {
    return at.under(images, c.group, Pixel(k, at.s.height.features, at.s.width.features), c.tap);
  }
  __device__ void put(int64_t group, int64_t filter, int64_t n, float sum) const {
    weight[(group * at.s.filters + filter) * at.s.channels * at.s.taps() + n] = sum;
  }
};

}  // namespace cortado::cuda
