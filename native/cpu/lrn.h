// Local response normalisation across channels: y = x s^-beta with s = k + alpha / size * (sum of x^2 over `size`
// channels around x's own), Caffe's lrn_layer.cpp. One pass over memory: a tile of pixels walks down the channels, so
// that the window's rows are still in the first-level cache. The window is summed anew for every channel, since a
// running sum of floats would drift; s is never stored, backward computes it again.
#pragma once

#include "elementwise.h"
#include "lrn_power.h"
#include "simd.h"
#include "slices.h"

namespace cortado::CORTADO_ISA {

/// Sum of squares at one place of `rows` channels; Rows is their number when it is known to the compiler, else 0.
template <int Rows>
CORTADO_INLINE Vf squares(const float* x, int64_t rows, int64_t pitch, int64_t lanes) {
  Vf total = zero();
  if constexpr (Rows > 0) rows = Rows;
#pragma GCC unroll 5
  for (int64_t i = 0; i < rows; ++i) {
    const Vf v = load_lanes(x + i * pitch, lanes);
    total = fma(v, v, total);
  }
  return total;
}

/// What forward and backward share: extents and the window.
struct LrnShape {
  int64_t images, channels, pixels, half, tiles, tile;
  float factor, k, beta;

  LrnShape(Prepare& step, const Tensor& x)
      : images(x.dim[0]), channels(x.dim[1]), pixels(x.count(2, x.rank)), half(step.integer("localSize") / 2) {
    step.expect(x.rank >= 2 && holds(x, x.size()) && x.size() > 0 && half >= 0, "images and a window");
    constexpr int64_t kPixels = 1024;  // window and result, 24 KiB at size 5, fit the first-level cache
    factor = static_cast<float>(step.number("alpha") / static_cast<double>(2 * half + 1));
    if (half > channels) half = channels;
    k = static_cast<float>(step.number("k"));
    beta = static_cast<float>(step.number("beta"));
    tiles = (pixels + kPixels - 1) / kPixels;
    tile = ((pixels + tiles - 1) / tiles + kLanes - 1) / kLanes * kLanes;
    tiles = (pixels + tile - 1) / tile;
  }

  int64_t size() const { return 2 * half + 1; }
  int64_t first(int64_t c) const { return c > half ? c - half : 0; }
  int64_t last(int64_t c) const { return c + half < channels - 1 ? c + half : channels - 1; }

  /// f(thread, offset of the tile in its image's first channel, pixels in it) for every tile.
  template <class F>
  CORTADO_INLINE void for_tiles(Threads& team, const F& f) const {
    for_numbered_slices(team, images * tiles, grain_of(channels * tile), [&](int thread, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t at = i % tiles * tile;
        f(thread, i / tiles * channels * pixels + at, pixels - at < tile ? pixels - at : tile);
      }
    });
  }

  /// f(pixel, lanes, s) along a tile of channel c whose first channel is at x.
  template <class F>
  CORTADO_INLINE void for_scales(const float* x, int64_t c, int64_t n, const F& f) const {
    const int64_t from = first(c), rows = last(c) - from + 1;
    const float* top = x + from * pixels;
    if (rows == 5) return scales<5>(top, rows, n, f);
    if (rows == 3) return scales<3>(top, rows, n, f);
    scales<0>(top, rows, n, f);
  }

 private:
  template <int Rows, class F>
  CORTADO_INLINE void scales(const float* top, int64_t rows, int64_t n, const F& f) const {
    const Vf a = splat(factor), b = splat(k);
    int64_t j = 0;
    for (; j + kLanes <= n; j += kLanes) {
      __builtin_prefetch(top + rows * pixels + j);  // the next channel's window ends with it
      f(j, int64_t{kLanes}, fma(a, squares<Rows>(top + j, rows, pixels, kLanes), b));
    }
    // Lanes beyond the tile have s = k, perhaps 0: they are never stored.
    if (j < n) f(j, n - j, fma(a, squares<Rows>(top + j, rows, pixels, n - j), b));
  }
};

/// x -> y, both (n, c, ...).
struct Lrn {
  Tensor x, y;
  LrnShape shape;

  explicit Lrn(Prepare& step) : x(step.in(0)), y(step.out(0)), shape(step, x) {
    step.expect(holds(y, x.size()), "tensors of one size");
  }

  void run(const Run& run) const {
    with_power(shape.beta, [&](auto power) {
      shape.for_tiles(run.threads, [&](int, int64_t at, int64_t n) {
        for (int64_t c = 0; c < shape.channels; ++c) {
          const float* own = x.f32() + at + c * shape.pixels;
          float* to = y.f32() + at + c * shape.pixels;
          shape.for_scales(x.f32() + at, c, n, [&](int64_t j, int64_t lanes, Vf s) {
            store_lanes(to + j, load_lanes(own + j, lanes) * power(s).power, lanes);
          });
        }
      });
    });
  }
};

/// dx = dy s^-beta - 2 alpha beta / size * x * (sum of dy x s^(-beta - 1) over the window) of one tile of pixels, whose
/// first channel is at x and dx; with relu, 0 where x is not above 0. Channels enter in turn and are finished once
/// their window has; `terms` is a ring of the last `size` rows of the sum's terms, `pitch` floats each.
struct LrnSlope {
  const LrnShape& shape;
  const float* x;
  float *dx, *terms;
  int64_t pitch;
  bool relu;

  /// The first term of dx, and this channel's part of its neighbours' sums. dy is the channel's row.
  template <class Power>
  CORTADO_INLINE void enter(const Power& power, const float* dy, int64_t n, int64_t c) const {
    const int64_t own = c * shape.pixels;
    float* row = terms + c % shape.size() * pitch;
    shape.for_scales(x, c, n, [&](int64_t j, int64_t lanes, Vf s) {
      const Scaled scaled = power(s);
      const Vf direct = load_lanes(dy + j, lanes) * scaled.power;
      store_lanes(dx + own + j, direct, lanes);
      store(row + j, direct * load_lanes(x + own + j, lanes) * scaled.inverse);
    });
  }

  CORTADO_INLINE void finish(int64_t n, int64_t c) const {
    const int64_t rows = shape.last(c) - shape.first(c) + 1;
    if (rows == 5) return add_second<5>(n, c);
    if (rows == 3) return add_second<3>(n, c);
    add_second<0>(n, c);
  }

 private:
  /// The second term of dx. Rows of the window are known to the compiler or, where Rows is 0, found one by one.
  template <int Rows>
  CORTADO_INLINE void add_second(int64_t n, int64_t c) const {
    const int64_t own = c * shape.pixels, first = shape.first(c), last = shape.last(c);
    const Vf factor = splat(-2 * shape.factor * shape.beta);
    const Vf least = relu ? zero() : splat(-HUGE_VALF);
    const float* rows[Rows > 0 ? Rows : 1];
    for (int i = 0; i < Rows; ++i) rows[i] = terms + (first + i) % shape.size() * pitch;
    for (int64_t j = 0; j < n; j += kLanes) {
      const int64_t lanes = n - j < kLanes ? n - j : kLanes;
      Vf total = zero();
#pragma GCC unroll 5
      for (int i = 0; i < Rows; ++i) total += load(rows[i] + j);
      for (int64_t i = first; Rows == 0 && i <= last; ++i) total += load(terms + i % shape.size() * pitch + j);
      float* to = dx + own + j;
      const Vf source = load_lanes(x + own + j, lanes), whole = fma(factor * source, total, load_lanes(to, lanes));
      store_lanes(to, select(source > least, whole, zero()), lanes);
    }
  }
};

/// dy, x -> dx, all (n, c, ...). Scratch: for each thread a ring of terms.
struct LrnGrad {
  Tensor dy, x, dx;
  LrnShape shape;

  explicit LrnGrad(Prepare& step) : dy(step.in(0)), x(step.in(1)), dx(step.out(0)), shape(step, x) {
    step.expect(holds(dy, x.size()) && holds(dx, x.size()), "tensors of one size");
    step.scratch(static_cast<size_t>(step.threads() * ring()) * sizeof(float));
  }

  void run(const Run& run) const {
    with_power(shape.beta, [&](auto power) {
      shape.for_tiles(run.threads, [&](int thread, int64_t at, int64_t n) {
        float* terms = static_cast<float*>(run.scratch) + thread * ring();
        const LrnSlope slope{shape, x.f32() + at, dx.f32() + at, terms, shape.tile, false};
        for (int64_t c = 0; c < shape.channels + shape.half; ++c) {
          if (c < shape.channels) slope.enter(power, dy.f32() + at + c * shape.pixels, n, c);
          if (c >= shape.half) slope.finish(n, c - shape.half);
        }
      });
    });
  }

 private:
  int64_t ring() const { return padded(shape.size() * shape.tile); }
};

}  // namespace cortado::CORTADO_ISA
