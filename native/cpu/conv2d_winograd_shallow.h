// A convolution of few channels by Winograd's points, tiles in lanes: an image's band of tiles goes to the points once,
// and each plane of the output is made of it in registers and stored where it belongs.
#pragma once

#include "winograd_shallow.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Planes that are made at once, of the same source: as many as sums of a column of points stay in registers.
constexpr int kShallowPlanes = kRegisters > 16 ? 2 : 1;

/// y(row, column) of P planes, tiles in lanes. source as ShallowSource leaves it, filters as (column, channel, row,
/// plane).
template <int P>
CORTADO_INLINE void multiply_shallow(const float* source, const float* filters, int64_t channels,
                                     Vf (&y)[P][kShallowOutputs][kShallowOutputs]) {
  Vf half[P][kShallowOutputs][kShallowTile];
#pragma GCC unroll 8
  for (int j = 0; j < kShallowTile; ++j) {
    Vf product[P][kShallowTile] = {};
    for (int64_t c = 0; c < channels; ++c, source += kShallowTile * kLanes, filters += kShallowTile * P) {
#pragma GCC unroll 8
      for (int i = 0; i < kShallowTile; ++i) {
        const Vf right = load(source + i * kLanes);
#pragma GCC unroll 2
        for (int p = 0; p < P; ++p) product[p][i] = fma(splat(filters[i * P + p]), right, product[p][i]);
      }
    }
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) {
      Vf to[kShallowOutputs];
      FromPoints<kShallowTile, kShallowOutputs>::apply(product[p], to);
#pragma GCC unroll 4
      for (int i = 0; i < kShallowOutputs; ++i) half[p][i][j] = to[i];
    }
  }
#pragma GCC unroll 2
  for (int p = 0; p < P; ++p) {
#pragma GCC unroll 4
    for (int i = 0; i < kShallowOutputs; ++i) FromPoints<kShallowTile, kShallowOutputs>::apply(half[p][i], y[p][i]);
  }
}

class ShallowCorrelation {
 public:
  explicit ShallowCorrelation(const Conv2dShape& shape) : tiling_(shape, kTiles), source_(tiling_) {}

  bool fits() const { return tiling_.fits(); }

  size_t scratch(int threads) const {
    Scratch scratch(nullptr);
    scratch.take<float>(filters());
    for (int i = 0; i < threads; ++i) Room(scratch, *this);
    return scratch.bytes();
  }

  /// bias may be nullptr.
  void run(const Run& run, const float* x, const float* weight, const float* bias, float* y,
           const Bounds& bounds) const {
    Scratch scratch(run.scratch);
    float* filters = scratch.take<float>(this->filters());
    transform(weight, filters);
    const Output output{bias, y, bounds};
    on_every_thread(run.threads, [&](int thread, int threads) {
      Scratch own = scratch;
      for (int i = 0; i < thread; ++i) Room(own, *this);
      const Room room(own, *this);
      const Part bands = part_of(tiling_.bands(), thread, threads);
      for (int64_t i = bands.begin; i < bands.end; ++i) multiply(x, filters, tiling_.band(i), room, output);
    });
  }

 private:
  static constexpr int64_t kTiles = 64;  // of a band

  /// A thread's own scratch.
  struct Room {
    float *pixels, *source;
    Room(Scratch& scratch, const ShallowCorrelation& c)
        : pixels(scratch.take<float>(c.source_.pixels())), source(scratch.take<float>(c.source_.vector())) {}
  };

  struct Output {
    const float* bias;
    float* data;
    Bounds bounds;
  };

  int64_t planes() const { return tiling_.shape.filters; }
  int64_t plane_filters() const { return kShallowPoints * tiling_.shape.channels; }
  int64_t filters() const { return round_up(planes(), kShallowPlanes) * plane_filters(); }

  /// Filters to the points: (planes that are made at once, column of points, channel, row of points, plane). In double:
  /// rounded once, they take a quarter of the error of so short sums away, and they are few.
  void transform(const float* weight, float* to) const {
    const int64_t channels = tiling_.shape.channels;
    for (int64_t plane = 0; plane < planes(); ++plane) {
      float* set = to + plane / kShallowPlanes * kShallowPlanes * plane_filters() + plane % kShallowPlanes;
      for (int64_t c = 0; c < channels; ++c, weight += kShallowTaps * kShallowTaps) {
        transform_square<AtPoints<kShallowTile, kShallowTaps>>(
            [&](int i, int j) { return static_cast<double>(weight[i * kShallowTaps + j]); },
            [&](int i, int j, double v) {
              const double point = v * lagrange<kShallowTile>(i) * lagrange<kShallowTile>(j);
              set[((j * channels + c) * kShallowTile + i) * planes_of(plane)] = static_cast<float>(point);
            });
      }
    }
  }

  /// Planes that are made together with this one.
  int64_t planes_of(int64_t plane) const {
    return smaller(kShallowPlanes, planes() - plane / kShallowPlanes * kShallowPlanes);
  }

  void multiply(const float* x, const float* filters, const ShallowBand& band, const Room& room,
                const Output& output) const {
    source_.open(x, band, room.pixels);
    for (int64_t tile = 0, vector = 0; tile < band.rows * tiling_.across; tile += kLanes, ++vector) {
      source_.transform(room.pixels, vector, room.source);
      const ShallowPlaces places(tiling_, band, tile);
      for (int64_t plane = 0; plane < planes(); plane += kShallowPlanes) {
        const float* set = filters + plane * plane_filters();
        if (planes_of(plane) == kShallowPlanes) {
          multiply<kShallowPlanes>(room, set, band.image, plane, places, output);
        } else {
          multiply<1>(room, set, band.image, plane, places, output);
        }
      }
    }
  }

  template <int P>
  __attribute__((noinline)) void multiply(const Room& room, const float* filters, int64_t image, int64_t plane,
                                          const ShallowPlaces& places, const Output& output) const {
    float* to = output.data + (image * planes() + plane) * tiling_.shape.pixels();
    for (int p = 0; p < P; ++p) places.call(to + p * tiling_.shape.pixels());
    Vf y[P][kShallowOutputs][kShallowOutputs];
    multiply_shallow<P>(room.source, filters, tiling_.shape.channels, y);
    const Bounds bounds = output.bounds;
    for (int p = 0; p < P; ++p, to += tiling_.shape.pixels()) {
      const Vf bias = output.bias == nullptr ? zero() : splat(output.bias[plane + p]);
#pragma GCC unroll 4
      for (int i = 0; i < kShallowOutputs; ++i) {
#pragma GCC unroll 4
        for (Vf& v : y[p][i]) v = bounds.hold(v + bias);
        places.put(i, y[p][i], to);
      }
    }
  }

  ShallowTiling tiling_;
  ShallowSource source_;
};

/// Conv2d of few channels. In: x, weight, bias or absent. Out: y.
struct Conv2dWinogradShallow {
  Tensor x, weight, bias, y;
  Bounds bounds;
  ShallowCorrelation product;

  explicit Conv2dWinogradShallow(Prepare& step)
      : x(step.in(0)),
        weight(required(step, step.in(1), "a weight")),
        bias(step.in(2)),
        y(step.out(0)),
        bounds(step),
        product(Conv2dShape(step, x, y, weight)) {
    step.expect(product.fits(), "filters of 5 x 5 taps, one group, a stride and a dilation of 1");
    step.expect(may_hold(bias, y.dim[1]), "a bias for every filter");
    step.scratch(product.scratch(step.threads()));
  }
  void run(const Run& run) const { product.run(run, x.f32(), weight.f32(), bias.f32(), y.f32(), bounds); }
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
