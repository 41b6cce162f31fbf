// Softmax along one axis of (outer, classes, inner), and its gradient. The inner loops run along memory: over the
// classes when they are contiguous, else over a tile of inner places at a time.
#pragma once

#include "../kernels/functions.h"
#include "../kernels/labels.h"
#include "elementwise.h"
#include "simd.h"
#include "slices.h"

namespace cortado::CORTADO_ISA {

/// Inner places that are worked on at once, their maxima and sums on the stack.
constexpr int64_t kSoftmaxTile = 256;

/// f(offset of the first class, places) for every tile of places.
template <class F>
CORTADO_INLINE void for_class_tiles(Threads& team, const ClassAxis& s, const F& f) {
  const int64_t tiles = (s.inner + kSoftmaxTile - 1) / kSoftmaxTile;
  const int64_t work = s.classes * (s.inner < kSoftmaxTile ? s.inner : kSoftmaxTile);
  for_slices(team, s.outer * tiles, grain_of(work), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t j = i % tiles * kSoftmaxTile;
      f(i / tiles * s.classes * s.inner + j, s.inner - j < kSoftmaxTile ? s.inner - j : kSoftmaxTile);
    }
  });
}

/// y = e^(x - max x) / sum of the same.
struct Softmax {
  const float* x;
  float* y;
  ClassAxis shape;

  explicit Softmax(Prepare& step) : x(step.in(0).f32()), y(step.out(0).f32()), shape(step, step.in(0)) {
    step.expect(holds(step.out(0), step.in(0).size()), "tensors of one size");
  }

  void run(const Run& run) const {
    for_class_tiles(run.threads, shape, [this](int64_t at, int64_t n) {
      if (shape.inner == 1) {
        row(x + at, y + at);
      } else {
        tile(x + at, y + at, n);
      }
    });
  }

 private:
  void row(const float* from, float* to) const {
    const int64_t n = shape.classes;
    Vf top = splat(-HUGE_VALF);
    for (int64_t i = 0; i + kLanes <= n; i += kLanes) top = max(top, load(from + i));
    float peak = largest(top);
    for (int64_t i = n / kLanes * kLanes; i < n; ++i) peak = from[i] > peak ? from[i] : peak;
    for (int64_t i = 0; i < n; ++i) to[i] = exponential(from[i] - peak);
    Vf part = zero();
    for (int64_t i = 0; i < n; i += kLanes) part += load_lanes(to + i, n - i < kLanes ? n - i : kLanes);
    const float total = sum(part);
    for (int64_t i = 0; i < n; ++i) to[i] /= total;
  }

  void tile(const float* from, float* to, int64_t n) const {
    float peak[kSoftmaxTile], total[kSoftmaxTile];
    for (int64_t j = 0; j < n; ++j) peak[j] = -HUGE_VALF, total[j] = 0;
    for (int64_t c = 0; c < shape.classes; ++c) {
      const float* v = from + c * shape.inner;
      for (int64_t j = 0; j < n; ++j) peak[j] = v[j] > peak[j] ? v[j] : peak[j];
    }
    for (int64_t c = 0; c < shape.classes; ++c) {
      const float* v = from + c * shape.inner;
      float* e = to + c * shape.inner;
      for (int64_t j = 0; j < n; ++j) {
        e[j] = exponential(v[j] - peak[j]);
        total[j] += e[j];
      }
    }
    for (int64_t c = 0; c < shape.classes; ++c) {
      float* e = to + c * shape.inner;
      for (int64_t j = 0; j < n; ++j) e[j] /= total[j];
    }
  }
};

/// dy, y -> dx = y (dy - sum of dy y).
struct SoftmaxGrad {
  const float *dy, *y;
  float* dx;
  ClassAxis shape;

  explicit SoftmaxGrad(Prepare& step)
      : dy(step.in(0).f32()), y(step.in(1).f32()), dx(step.out(0).f32()), shape(step, step.in(0)) {
    const int64_t n = step.in(0).size();
    step.expect(holds(step.in(1), n) && holds(step.out(0), n), "tensors of one size");
  }

  void run(const Run& run) const {
    for_class_tiles(run.threads, shape, [this](int64_t at, int64_t n) {
      if (shape.inner == 1) {
        row(at);
      } else {
        tile(at, n);
      }
    });
  }

 private:
  void row(int64_t at) const {
    Vf part = zero();
    for (int64_t i = 0; i < shape.classes; i += kLanes) {
      const int64_t lanes = shape.classes - i < kLanes ? shape.classes - i : kLanes;
      part = fma(load_lanes(dy + at + i, lanes), load_lanes(y + at + i, lanes), part);
    }
    const float mean = sum(part);
    for (int64_t i = at; i < at + shape.classes; ++i) dx[i] = y[i] * (dy[i] - mean);
  }

  void tile(int64_t at, int64_t n) const {
    float mean[kSoftmaxTile];
    for (int64_t j = 0; j < n; ++j) mean[j] = 0;
    for (int64_t c = 0; c < shape.classes; ++c) {
      const int64_t i = at + c * shape.inner;
      for (int64_t j = 0; j < n; ++j) mean[j] += dy[i + j] * y[i + j];
    }
    for (int64_t c = 0; c < shape.classes; ++c) {
      const int64_t i = at + c * shape.inner;
      for (int64_t j = 0; j < n; ++j) dx[i + j] = y[i + j] * (dy[i + j] - mean[j]);
    }
  }
};

}  // namespace cortado::CORTADO_ISA
