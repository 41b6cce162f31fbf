// Local response normalisation across channels: y = x s^-beta with s = k + alpha / size * (sum of x^2 over `size`
// channels around x's own), Caffe's lrn_layer.cpp. One pass over memory: a tile of pixels walks down the channels, so
// that the window's rows are still in the first-level cache. The window is summed anew for every channel, since a
// running sum of floats would drift; s is never stored, backward computes it again.
#pragma once

#include "../kernels/lrn.h"
#include "elementwise.h"
#include "lrn_power.h"
#include "simd.h"
#include "slices.h"

namespace cortado::CORTADO_ISA {

/// sum[i] = row[i] + ... + row[i + 4], of their squares if kSquares: the windows of four channels that follow each
/// other, from one load of each row. Multiply-adds are spelled out, since the compiler would choose some here and
/// others there.
template <bool kSquares>
struct FourWindows {
  Vf sum[4];
  CORTADO_INLINE explicit FourWindows(const Vf (&row)[8]) {
    const Vf third = two(row[3], row[4]);
    const Vf left = two(row[1], row[2]) + third, right = third + two(row[5], row[6]);
    sum[0] = plus(left, row[0]);
    sum[1] = plus(left, row[5]);
    sum[2] = plus(right, row[2]);
    sum[3] = plus(right, row[7]);
  }

 private:
  CORTADO_INLINE static Vf plus(Vf total, Vf v) { return kSquares ? fma(v, v, total) : total + v; }
  CORTADO_INLINE static Vf two(Vf a, Vf b) { return plus(kSquares ? a * a : a, b); }
};

/// What forward and backward share: the extents, and tiles of pixels.
struct LrnShape : LrnAcross {
  int64_t tiles, tile;

  LrnShape(Prepare& step, const Tensor& x) : LrnAcross(step, x) {
    constexpr int64_t kPixels = 1024;  // window and result, 24 KiB at size 5, fit the first-level cache
    tiles = (pixels + kPixels - 1) / kPixels;
    tile = ((pixels + tiles - 1) / tiles + kLanes - 1) / kLanes * kLanes;
    tiles = (pixels + tile - 1) / tile;
  }

  int64_t size() const { return 2 * half + 1; }
  /// Rows of terms to keep for the gradient: four channels may have entered that the window of the first of the four
  /// before them lacks.
  int64_t ring() const { return size() + 7; }
  static constexpr int64_t kTogether = 4;
  /// How many channels from c on are taken together: four, or one at the edges and with windows of another size.
  int64_t together(int64_t c) const { return half == 2 && c >= 2 && c + 6 <= channels ? kTogether : 1; }
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

  /// f(i, pixel, lanes, x, s in the power's unit) along a tile, whose first channel is at x, for each channel c + i of
  /// together(c).
  template <class Power, class F>
  CORTADO_INLINE void for_scales(const Power&, const float* x, int64_t c, int64_t n, const F& f) const {
    const Vf a = splat(factor * Power::kUnit), b = splat(k * Power::kUnit);
    if (together(c) > 1) {
      for_vectors(n, [&](int64_t j, int64_t lanes) {
        Vf row[8];
#pragma GCC unroll 8
        for (int i = 0; i < 8; ++i) row[i] = load_lanes(x + (c - 2 + i) * pixels + j, lanes);
        // The next channels' windows end with these.
#pragma GCC unroll 4
        for (int i = 6; i < 10; ++i) __builtin_prefetch(x + (c + i) * pixels + j);
        const FourWindows<true> windows(row);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) f(int64_t{i}, j, lanes, row[2 + i], fma(a, windows.sum[i], b));
      });
    } else {
      for_vectors(n, [&](int64_t j, int64_t lanes) {
        Vf total = zero();
        for (int64_t row = first(c); row <= last(c); ++row) {
          const Vf v = load_lanes(x + row * pixels + j, lanes);
          total = fma(v, v, total);
        }
        f(int64_t{0}, j, lanes, load_lanes(x + c * pixels + j, lanes), fma(a, total, b));
      });
    }
  }

  /// f(offset, lanes) for the vectors of n elements. Lanes beyond them have s = k, perhaps 0: they are never stored.
  template <class F>
  CORTADO_INLINE static void for_vectors(int64_t n, const F& f) {
    int64_t j = 0;
    for (; j + kLanes <= n; j += kLanes) f(j, int64_t{kLanes});
    if (j < n) f(j, n - j);
  }
};

/// x -> y, both (n, c, ...).
struct Lrn {
  Tensor x, y;
  LrnShape shape;

  explicit Lrn(Prepare& step) : x(step.in(0)), y(step.out(0)), shape(step, x) { expect_normalized(step); }

  void run(const Run& run) const {
    with_power(shape.beta, [&](auto power) {
      shape.for_tiles(run.threads, [&](int, int64_t at, int64_t n) {
        for (int64_t c = 0; c < shape.channels; c += shape.together(c)) {
          float* to = y.f32() + at + c * shape.pixels;
          shape.for_scales(power, x.f32() + at, c, n, [&](int64_t i, int64_t j, int64_t lanes, Vf own, Vf s) {
            store_lanes(to + i * shape.pixels + j, own * power(s).power, lanes);
          });
        }
      });
    });
  }
};

/// dx = dy s^-beta - 2 alpha beta / size * x * (sum of dy x s^(-beta - 1) over the window) of one tile of n pixels,
/// whose first channel is at x and dx; with relu, 0 where x is not above 0. Channels enter in turn and are finished
/// once their window has; `terms` is a ring of the last rows of the sum's terms, `pitch` floats each.
template <class Power>
struct LrnSlope {
  const LrnShape& shape;
  const Power& power;
  const float* x;
  float *dx, *terms;
  int64_t n, pitch;
  bool relu;

  /// The first term of dx, and these channels' part of their neighbours' sums. dy is the row of the first of
  /// together(c) channels, `stride` floats before the next.
  CORTADO_INLINE void enter(const float* dy, int64_t stride, int64_t c) const {
    const LrnSlope own = *this;  // a copy that no stored float can be part of
    const int64_t pixels = own.shape.pixels;
    float *into[LrnShape::kTogether], *to = own.dx + c * pixels;
    for (int64_t i = 0; i < own.shape.together(c); ++i) into[i] = term(c + i);
    own.shape.for_scales(own.power, own.x, c, own.n, [=](int64_t i, int64_t j, int64_t lanes, Vf x, Vf s) {
      const Scaled scaled = own.power(s);
      const Vf direct = load_lanes(dy + i * stride + j, lanes) * scaled.power;
      store_lanes(to + i * pixels + j, direct, lanes);
      store(into[i] + j, direct * x * scaled.inverse);
    });
  }

  /// Adds the second term to the channels from c on whose windows lie before channel `entered`; returns the first that
  /// is left.
  CORTADO_INLINE int64_t finish(int64_t c, int64_t entered) const {
    while (c < shape.channels && shape.last(c + shape.together(c) - 1) < entered) {
      if (shape.together(c) > 1) {
        add_four(c);
      } else {
        add_one(c);
      }
      c += shape.together(c);
    }
    return c;
  }

 private:
  CORTADO_INLINE float* term(int64_t c) const { return terms + c % shape.ring() * pitch; }

  CORTADO_INLINE void add_four(int64_t c) const {
    const Second second(*this);
    const int64_t pixels = shape.pixels;
    const float *rows[8], *from = x + c * pixels;
    for (int i = 0; i < 8; ++i) rows[i] = term(c - 2 + i);
    float* to = dx + c * pixels;
    LrnShape::for_vectors(n, [=](int64_t j, int64_t lanes) {
      Vf row[8];
#pragma GCC unroll 8
      for (int i = 0; i < 8; ++i) row[i] = load(rows[i] + j);
      const FourWindows<false> windows(row);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) second.add(to + i * pixels + j, from + i * pixels + j, windows.sum[i], lanes);
    });
  }

  CORTADO_INLINE void add_one(int64_t c) const {
    const Second second(*this);
    LrnShape::for_vectors(n, [&](int64_t j, int64_t lanes) {
      Vf total = zero();
      for (int64_t row = shape.first(c); row <= shape.last(c); ++row) total += load(term(row) + j);
      const int64_t at = c * shape.pixels + j;
      second.add(dx + at, x + at, total, lanes);
    });
  }

  /// The second term, times the window's sum; and the ReLU.
  struct Second {
    Vf factor, least;
    CORTADO_INLINE explicit Second(const LrnSlope& slope)
        : factor(splat(-2 * slope.shape.factor * Power::kUnit * slope.shape.beta)),
          least(slope.relu ? zero() : splat(-HUGE_VALF)) {}
    CORTADO_INLINE void add(float* to, const float* from, Vf total, int64_t lanes) const {
      const Vf x = load_lanes(from, lanes), all = fma(factor * x, total, load_lanes(to, lanes));
      store_lanes(to, select(x > least, all, zero()), lanes);
    }
  };
};

/// dy, x -> dx, all (n, c, ...). Scratch: for each thread a ring of terms.
struct LrnGrad {
  Tensor dy, x, dx;
  LrnShape shape;

  explicit LrnGrad(Prepare& step) : dy(step.in(0)), x(step.in(1)), dx(step.out(0)), shape(step, x) {
    expect_normalized_gradient(step);
    step.scratch(static_cast<size_t>(step.threads() * room()) * sizeof(float));
  }

  void run(const Run& run) const {
    with_power(shape.beta, [&](auto power) {
      shape.for_tiles(run.threads, [&](int thread, int64_t at, int64_t n) {
        float* terms = static_cast<float*>(run.scratch) + thread * room();
        const LrnSlope<decltype(power)> slope{shape, power, x.f32() + at, dx.f32() + at, terms, n, shape.tile, false};
        int64_t finished = 0;
        for (int64_t c = 0; c < shape.channels; c += shape.together(c)) {
          slope.enter(dy.f32() + at + c * shape.pixels, shape.pixels, c);
          finished = slope.finish(finished, c + shape.together(c));
        }
      });
    });
  }

 private:
  int64_t room() const { return padded(shape.ring() * shape.tile); }
};

}  // namespace cortado::CORTADO_ISA
