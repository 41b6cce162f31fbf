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

/// A plane and the scratch that its box sums need: one padded line and planes of sums along rows.
struct LrnBox : LrnWithinChannel {
  int64_t pitch;

  LrnBox(Prepare& step, const Tensor& x) : LrnWithinChannel(step, x), pitch(padded(w + kLanes)) {}

  int64_t line_floats() const { return padded(pitch + 2 * half); }
  int64_t plane_floats() const { return h * pitch; }

  /// Zeroes the line's margins and returns where its middle, w values, begins.
  float* middle(float* line) const {
    memset(line, 0, static_cast<size_t>(line_floats()) * sizeof(float));
    return line + half;
  }

  /// to[j] = sum of the 2 half + 1 values around line[j].
  void sum_row(const float* line, float* to) const {
    for (int64_t j = 0; j < w; j += kLanes) {
      Vf total = zero();
      for (int64_t i = 0; i <= 2 * half; ++i) total += load(line + j + i);
      store(to + j, total);
    }
  }

  /// Sum of the rows around row r, at column j.
  CORTADO_INLINE Vf sum_column(const float* rows, int64_t r, int64_t j) const {
    const int64_t first = r > half ? r - half : 0, last = r + half < h - 1 ? r + half : h - 1;
    Vf total = zero();
    for (int64_t i = first; i <= last; ++i) total += load(rows + i * pitch + j);
    return total;
  }

  /// Sums of squares along the rows of x.
  void square_rows(const float* x, float* line, float* rows) const {
    float* own = middle(line);
    for (int64_t r = 0; r < h; ++r) {
      for (int64_t j = 0; j < w; ++j) own[j] = x[r * w + j] * x[r * w + j];
      sum_row(line, rows + r * pitch);
    }
  }

  CORTADO_INLINE Vf scale(const float* rows, int64_t r, int64_t j) const {
    return fma(splat(factor), sum_column(rows, r, j), splat(1.0f));
  }
};

/// x -> y, both (n, c, h, w).
struct LrnWithin {
  Tensor x, y;
  LrnBox box;

  explicit LrnWithin(Prepare& step) : x(step.in(0)), y(step.out(0)), box(step, x) {
    expect_normalized(step);
    step.scratch(static_cast<size_t>(step.threads() * floats()) * sizeof(float));
  }

  void run(const Run& run) const {
    with_power(box.beta, [&](auto power) {
      const int64_t pixels = box.h * box.w;
      for_numbered_slices(run.threads, box.planes, grain_of(pixels), [&](int thread, int64_t begin, int64_t end) {
        float* line = static_cast<float*>(run.scratch) + thread * floats();
        for (int64_t p = begin; p < end; ++p) plane(power, x.f32() + p * pixels, line, y.f32() + p * pixels);
      });
    });
  }

 private:
  int64_t floats() const { return box.line_floats() + box.plane_floats(); }

  template <class Power>
  CORTADO_INLINE void plane(const Power& power, const float* from, float* line, float* to) const {
    float* rows = line + box.line_floats();
    box.square_rows(from, line, rows);
    for (int64_t r = 0; r < box.h; ++r) {
      for (int64_t j = 0; j < box.w; j += kLanes) {
        const int64_t lanes = box.w - j < kLanes ? box.w - j : kLanes, at = r * box.w + j;
        store_lanes(to + at, load_lanes(from + at, lanes) * power(box.scale(rows, r, j)).power, lanes);
      }
    }
  }
};

/// dy, x -> dx = dy s^-beta - 2 alpha beta / size^2 * x * (sum of dy x s^(-beta - 1) over the box).
struct LrnWithinGrad {
  Tensor dy, x, dx;
  LrnBox box;

  explicit LrnWithinGrad(Prepare& step) : dy(step.in(0)), x(step.in(1)), dx(step.out(0)), box(step, x) {
    expect_normalized_gradient(step);
    step.scratch(static_cast<size_t>(step.threads() * floats()) * sizeof(float));
  }

  void run(const Run& run) const {
    with_power(box.beta, [&](auto power) {
      const int64_t pixels = box.h * box.w;
      for_numbered_slices(run.threads, box.planes, grain_of(pixels), [&](int thread, int64_t begin, int64_t end) {
        float* line = static_cast<float*>(run.scratch) + thread * floats();
        for (int64_t p = begin; p < end; ++p) {
          const int64_t at = p * pixels;
          plane(power, dy.f32() + at, x.f32() + at, line, dx.f32() + at);
        }
      });
    });
  }

 private:
  int64_t floats() const { return box.line_floats() + 2 * box.plane_floats(); }

  template <class Power>
  CORTADO_INLINE void plane(const Power& power, const float* dy, const float* x, float* line, float* to) const {
    float* rows = line + box.line_floats();
    float* terms = rows + box.plane_floats();
    box.square_rows(x, line, rows);
    float* own = box.middle(line);
    for (int64_t r = 0; r < box.h; ++r) {
      for (int64_t j = 0; j < box.w; j += kLanes) {
        const int64_t lanes = box.w - j < kLanes ? box.w - j : kLanes, at = r * box.w + j;
        const Scaled scaled = power(box.scale(rows, r, j));
        const Vf direct = load_lanes(dy + at, lanes) * scaled.power;
        store_lanes(to + at, direct, lanes);
        store_lanes(own + j, direct * load_lanes(x + at, lanes) * scaled.inverse, lanes);
      }
      box.sum_row(line, terms + r * box.pitch);
    }
    const Vf factor = splat(-2 * box.factor * box.beta);
    for (int64_t r = 0; r < box.h; ++r) {
      for (int64_t j = 0; j < box.w; j += kLanes) {
        const int64_t lanes = box.w - j < kLanes ? box.w - j : kLanes, at = r * box.w + j;
        const Vf second = factor * load_lanes(x + at, lanes) * box.sum_column(terms, r, j);
        store_lanes(to + at, load_lanes(to + at, lanes) + second, lanes);
      }
    }
  }
};

}  // namespace cortado::CORTADO_ISA
