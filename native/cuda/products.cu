// Convolution, deconvolution and inner products by tiles of our own.
#include "../kernels/products.h"

#include "product.h"
#include "sums.h"
#include "table.h"

namespace cortado::cuda {

namespace {

/// What happens to a sum on its way to memory.
struct Epilogue {
  const float* bias = nullptr;
  bool relu = false;

  __device__ float operator()(int64_t unit, float sum) const {
    const float v = bias ? sum + bias[unit] : sum;
    return relu && !(v > 0.0f) ? (v != v ? v : 0.0f) : v;
  }
};

/// Elements 0 to `count` of dbias = sums of x (images, planes, pixels) over images and pixels.
struct PlaneSums {
  const float* x;
  int64_t images, planes, pixels;
  float* to;

  void run(const Launch& launch, void* parts) const { sum_rows<1>(launch, planes, images * pixels, parts, *this); }
  __device__ void term(int64_t plane, int64_t i, double (&sums)[1]) const {
    sums[0] += static_cast<double>(x[(i / pixels * planes + plane) * pixels + i % pixels]);
  }
  __device__ void done(int64_t plane, const double (&sums)[1]) const { to[plane] = static_cast<float>(sums[0]); }
};

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
  static constexpr bool kAlongA = true, kAlongB = false;
  Places at;
  const float *images, *weight;
  float* features;
  Epilogue epilogue;

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
  static constexpr bool kAlongA = true, kAlongB = false;
  Places at;
  const float *features, *weight;
  float* images;
  Epilogue epilogue;

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

/// dweight (filter; channel, tap) = features (filter; image, pixel) * images under the window.
struct FilterGradient {
  static constexpr bool kAlongA = true, kAlongB = true;
  Places at;
  const float *images, *features;
  float* dweight;

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
    dweight[(group * at.s.filters + filter) * at.s.channels * at.s.taps() + n] = sum;
  }
};

/// A product that is prepared: P with its shape.
template <class P>
struct Prepared {
  P p;
  ProductShape shape;

  Prepared(Prepare& step, const P& product) : p(product), shape(p.shape()) { step.scratch(shape.bytes()); }
  void run(const Launch& launch) const { multiply(launch, shape, p); }
};

Epilogue epilogue_of(Prepare& step, int64_t planes) {
  const Tensor bias = step.in(2);
  step.expect(may_hold(bias, planes), "a bias for every filter");
  return {bias.f32(), step.integer("relu") != 0};
}

/// y = w * x + bias, rectified if relu. In: x (n, c, h, w), weight (k, c / groups, r, s), bias (k) or absent. Out: y.
struct Conv2d : Prepared<Correlate> {
  explicit Conv2d(Prepare& step)
      : Prepared(step, {{Conv2dShape(step, step.in(0), step.out(0), required(step, step.in(1), "a weight"))},
                        step.in(0).f32(),
                        step.in(1).f32(),
                        step.out(0).f32(),
                        epilogue_of(step, step.out(0).dim[1])}) {}
};

/// In: dy, weight. Out: dx.
struct Conv2dDgrad : Prepared<Spread> {
  explicit Conv2dDgrad(Prepare& step)
      : Prepared(step, {{Conv2dShape(step, step.out(0), step.in(0), required(step, step.in(1), "a weight"))},
                        step.in(0).f32(),
                        step.in(1).f32(),
                        step.out(0).f32(),
                        {}}) {}
};

/// Deconvolution: the input gradient of a convolution as a layer of its own. In: x (n, c, h, w), weight (c, k / groups,
/// r, s), bias (k) or absent. Out: y (n, k, oh, ow), rectified if relu.
struct Deconv2d : Prepared<Spread> {
  explicit Deconv2d(Prepare& step)
      : Prepared(step, {{Conv2dShape(step, step.out(0), step.in(0), required(step, step.in(1), "a weight"))},
                        step.in(0).f32(),
                        step.in(1).f32(),
                        step.out(0).f32(),
                        epilogue_of(step, step.out(0).dim[1])}) {}
};

/// In: dy, weight. Out: dx: the convolution of dy.
struct Deconv2dDgrad : Prepared<Correlate> {
  explicit Deconv2dDgrad(Prepare& step)
      : Prepared(step, {{Conv2dShape(step, step.in(0), step.out(0), required(step, step.in(1), "a weight"))},
                        step.in(0).f32(),
                        step.in(1).f32(),
                        step.out(0).f32(),
                        {}}) {}
};

/// In: x, dy. Out: dweight, dbias; either may be absent. `features` is the one of them on the feature side.
struct ConvolutionWgrad {
  Prepared<FilterGradient> product;
  PlaneSums bias;

  ConvolutionWgrad(Prepare& step, const Tensor& image, const Tensor& features)
      : product(step,
                {{Conv2dShape(step, image, features, step.out(0))}, image.f32(), features.f32(), step.out(0).f32()}) {
    const Tensor dy = step.in(1);
    bias = {dy.f32(), dy.dim[0], dy.dim[1], dy.count(2, 4), step.out(1).f32()};
    step.expect(may_hold(step.out(1), dy.dim[1]), "a bias for every filter");
    step.scratch(sums_bytes<1>(bias.planes, bias.images * bias.pixels));
  }
  void run(const Launch& launch) const {
    if (product.p.dweight) product.run(launch);
    if (bias.to) bias.run(launch, launch.scratch);
  }
};
struct Conv2dWgrad : ConvolutionWgrad {
  explicit Conv2dWgrad(Prepare& step) : ConvolutionWgrad(step, step.in(0), step.in(1)) {}
};
struct Deconv2dWgrad : ConvolutionWgrad {
  explicit Deconv2dWgrad(Prepare& step) : ConvolutionWgrad(step, step.in(1), step.in(0)) {}
};

/// C (rows, columns) = A (rows, depth) B (depth, columns): plain matrices, each along k in memory or across it.
template <bool kAlongRows, bool kAlongColumns>
struct Matrices {
  static constexpr bool kAlongA = kAlongRows, kAlongB = kAlongColumns;
  const float *left, *right;
  float* to;
  int64_t rows, columns, depth;
  Epilogue epilogue;

  using Row = const float*;
  using Column = const float*;
  __device__ Row row(int64_t, int64_t m) const { return left + (kAlongA ? m * depth : m); }
  __device__ float a(Row row, int64_t k) const { return row[kAlongA ? k : k * rows]; }
  __device__ Column column(int64_t, int64_t n) const { return right + (kAlongB ? n * depth : n); }
  __device__ float b(Column column, int64_t k) const { return column[kAlongB ? k : k * columns]; }
  __device__ void put(int64_t, int64_t m, int64_t n, float sum) const { to[m * columns + n] = epilogue(n, sum); }
};

/// The same with the sides chosen when a plan is prepared.
struct MatrixProduct {
  Matrices<true, true> p;
  bool along_a, along_b;
  ProductShape shape;

  MatrixProduct() = default;
  MatrixProduct(Prepare& step, const Matrices<true, true>& matrices, bool along_a, bool along_b)
      : p(matrices), along_a(along_a), along_b(along_b), shape(ProductShape::of(1, p.rows, p.columns, p.depth)) {
    step.scratch(shape.bytes());
  }
  void run(const Launch& launch) const {
    if (along_a) return along_b ? start<true, true>(launch) : start<true, false>(launch);
    along_b ? start<false, true>(launch) : start<false, false>(launch);
  }

 private:
  template <bool kAlongRows, bool kAlongColumns>
  void start(const Launch& launch) const {
    multiply(launch, shape,
             Matrices<kAlongRows, kAlongColumns>{p.left, p.right, p.to, p.rows, p.columns, p.depth, p.epilogue});
  }
};

/// y = x w^T + bias, rectified if relu. In: x, weight, bias (units) or absent. Out: y (rows, units). Axes of x before
/// `axis` are rows, the others inputs.
struct Dense {
  DenseShape s;
  MatrixProduct product;

  explicit Dense(Prepare& step) : s(step, step.in(0), step.out(0), required(step, step.in(1), "a weight"), step.in(2)) {
    const Epilogue epilogue{step.in(2).f32(), step.integer("relu") != 0};
    const float *x = step.in(0).f32(), *weight = step.in(1).f32();
    product = {step, {x, weight, step.out(0).f32(), s.rows, s.units, s.inputs, epilogue}, true, !s.transpose};
  }
  void run(const Launch& launch) const { product.run(launch); }
};

/// dx = dy w. In: dy (rows, units), weight. Out: dx.
struct DenseDgrad {
  DenseShape s;
  MatrixProduct product;

  explicit DenseDgrad(Prepare& step) : s(step, step.out(0), step.in(0), required(step, step.in(1), "a weight"), {}) {
    const float *dy = step.in(0).f32(), *weight = step.in(1).f32();
    product = {step, {dy, weight, step.out(0).f32(), s.rows, s.inputs, s.units, {}}, true, s.transpose};
  }
  void run(const Launch& launch) const { product.run(launch); }
};

/// dw = dy^T x, or its transpose; dbias = sum of dy over rows. In: x, dy. Out: dweight, dbias; either may be absent.
struct DenseWgrad {
  DenseShape s;
  MatrixProduct product;
  PlaneSums bias;

  explicit DenseWgrad(Prepare& step) : s(step, step.in(0), step.in(1), step.out(0), step.out(1)) {
    const float *x = step.in(0).f32(), *dy = step.in(1).f32();
    float* dweight = step.out(0).f32();
    product = s.transpose ? MatrixProduct(step, {x, dy, dweight, s.inputs, s.units, s.rows, {}}, false, false)
                          : MatrixProduct(step, {dy, x, dweight, s.units, s.inputs, s.rows, {}}, false, false);
    bias = {dy, s.rows, s.units, 1, step.out(1).f32()};
    step.scratch(sums_bytes<1>(s.units, s.rows));
  }
  void run(const Launch& launch) const {
    if (product.p.to) product.run(launch);
    if (bias.to) bias.run(launch, launch.scratch);
  }
};

}  // namespace

CORTADO_PRODUCT_KERNELS(CORTADO_DEFINE_KERNEL)

}  // namespace cortado::cuda
