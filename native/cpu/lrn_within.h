// Local response normalisation within each channel: y = x s^-beta with s = 1 + alpha / size^2 * (sum of x^2 over the
// size x size pixels around x's own; pixels outside count as zero). Caffe ignores k here (lrn_layer.cpp,
// WithinChannelForward).
#pragma once

#include "../kernels/lrn.h"
#include "elementwise.h"
#include "lrn_power.h"
#include "simd.h"
#include "slices.h"

namespace cortado::CORTADO_ISA {

/// A plane and its box sums: first of each column's rows, into a plane of scratch between margins of zeros, then along
/// the rows of that. All columns are summed before the first row is, since a load waits long for what several stores
/// have just written.
struct LrnBox : LrnWithinChannel {
  int64_t margin, pitch;

  LrnBox(Prepare& step, const Tensor& x)
      : LrnWithinChannel(step, x),
        margin((half + kLanes - 1) / kLanes * kLanes),
        pitch(2 * margin + (w + kLanes - 1) / kLanes * kLanes) {}

  int64_t plane_floats() const { return padded(h * pitch); }

  /// sums = the sums of the rows around each row: row(r, column, lanes) is one, add(total, row) adds it.
  template <class Row, class Add>
  CORTADO_INLINE void sum_columns(float* sums, const Row& row, const Add& add) const {
    const LrnBox own = *this;  // a copy that no stored float can be part of
    own.for_row([&](int64_t j, int64_t lanes) {
      float* to = sums + own.margin + j;
      if (own.half == 1) {
        Vf above = zero(), here = row(int64_t{0}, j, lanes);
        for (int64_t r = 0; r < own.h; ++r) {
          const Vf below = r + 1 < own.h ? row(r + 1, j, lanes) : zero();
          store(to + r * own.pitch, add(add(add(zero(), above), here), below));
          above = here;
          here = below;
        }
        return;
      }
      for (int64_t r = 0; r < own.h; ++r) {
        const int64_t last = r + own.half < own.h - 1 ? r + own.half : own.h - 1;
        Vf total = zero();
        for (int64_t i = r > own.half ? r - own.half : 0; i <= last; ++i) total = add(total, row(i, j, lanes));
        store(to + r * own.pitch, total);
      }
    });
  }
  CORTADO_INLINE void sum_squares(const float* x, float* sums) const {
    const int64_t width = w;
    sum_columns(
        sums, [=](int64_t r, int64_t j, int64_t lanes) { return load_lanes(x + r * width + j, lanes); },
        [](Vf total, Vf v) { return fma(v, v, total); });
  }

  /// Sum of the box around row r, column j.
  CORTADO_INLINE Vf sum(const float* sums, int64_t r, int64_t j) const {
    const float* own = sums + r * pitch + margin + j;
    if (half == 1) return load(own - 1) + load(own) + load(own + 1);
    Vf total = zero();
    for (int64_t i = -half; i <= half; ++i) total += load(own + i);
    return total;
  }
  template <class Power>
  CORTADO_INLINE Scaled scaled(const Power& power, const float* sums, int64_t r, int64_t j) const {
    return power(fma(splat(factor * Power::kUnit), sum(sums, r, j), splat(Power::kUnit)));
  }

  /// f(column, lanes) for the vectors of a row.
  template <class F>
  CORTADO_INLINE void for_row(const F& f) const {
    for (int64_t j = 0; j < w; j += kLanes) f(j, w - j < kLanes ? w - j : int64_t{kLanes});
  }

  /// f(offset of a plane, scratch between zeros): of this thread alone, `rooms` planes of it.
  template <class F>
  CORTADO_INLINE void for_planes(const Run& run, int64_t rooms, const F& f) const {
    for_numbered_slices(run.threads, planes, grain_of(h * w), [&](int thread, int64_t begin, int64_t end) {
      float* sums = static_cast<float*>(run.scratch) + thread * rooms * plane_floats();
      memset(sums, 0, static_cast<size_t>(plane_floats()) * sizeof(float));
      for (int64_t p = begin; p < end; ++p) f(p * h * w, sums);
    });
  }
};

/// x -> y, both (n, c, h, w).
struct LrnWithin {
  Tensor x, y;
  LrnBox box;

  explicit LrnWithin(Prepare& step) : x(step.in(0)), y(step.out(0)), box(step, x) {
    expect_normalized(step);
    step.scratch(static_cast<size_t>(step.threads() * box.plane_floats()) * sizeof(float));
  }

  void run(const Run& run) const {
    with_power(box.beta, [&](auto power) {
      box.for_planes(run, 1, [&](int64_t at, float* sums) { plane(power, x.f32() + at, sums, y.f32() + at); });
    });
  }

 private:
  template <class Power>
  CORTADO_INLINE void plane(const Power& power, const float* from, float* sums, float* to) const {
    const LrnBox own = box;
    own.sum_squares(from, sums);
    for (int64_t r = 0; r < own.h; ++r) {
      own.for_row([&](int64_t j, int64_t lanes) {
        const int64_t at = r * own.w + j;
        store_lanes(to + at, load_lanes(from + at, lanes) * own.scaled(power, sums, r, j).power, lanes);
      });
    }
  }
};

/// dy, x -> dx = dy s^-beta - 2 alpha beta / size^2 * x * (sum of dy x s^(-beta - 1) over the box).
struct LrnWithinGrad {
  Tensor dy, x, dx;
  LrnBox box;

  explicit LrnWithinGrad(Prepare& step) : dy(step.in(0)), x(step.in(1)), dx(step.out(0)), box(step, x) {
    expect_normalized_gradient(step);
    step.scratch(static_cast<size_t>(step.threads() * 2 * box.plane_floats()) * sizeof(float));
  }

  void run(const Run& run) const {
    with_power(box.beta, [&](auto power) {
      box.for_planes(run, 2,
                     [&](int64_t at, float* sums) { plane(power, dy.f32() + at, x.f32() + at, sums, dx.f32() + at); });
    });
  }

 private:
  template <class Power>
  CORTADO_INLINE void plane(const Power& power, const float* dy, const float* x, float* sums, float* to) const {
    const LrnBox own = box;
    float* terms = sums + own.plane_floats();
    own.sum_squares(x, sums);
    for (int64_t r = 0; r < own.h; ++r) {
      own.for_row([&](int64_t j, int64_t lanes) {
        const int64_t at = r * own.w + j;
        const Scaled scaled = own.scaled(power, sums, r, j);
        const Vf direct = load_lanes(dy + at, lanes) * scaled.power;
        store_lanes(to + at, direct, lanes);
        store(terms + r * own.pitch + j, direct * load_lanes(x + at, lanes) * scaled.inverse);
      });
    }
    own.sum_columns(
        sums, [=](int64_t r, int64_t j, int64_t) { return load(terms + r * own.pitch + j); },
        [](Vf total, Vf v) { return total + v; });
    const Vf factor = splat(-2 * own.factor * Power::kUnit * own.beta);
    for (int64_t r = 0; r < own.h; ++r) {
      own.for_row([&](int64_t j, int64_t lanes) {
        const int64_t at = r * own.w + j;
        const Vf second = factor * load_lanes(x + at, lanes);
        store_lanes(to + at, fma(second, own.sum(sums, r, j), load_lanes(to + at, lanes)), lanes);
      });
    }
  }
};

}  // namespace cortado::CORTADO_ISA
