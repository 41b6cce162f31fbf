// Kernels that only move elements: concat, slice, tile, crop.
#pragma once

#include "../kernels/movement.h"
#include "elementwise.h"

namespace cortado::CORTADO_ISA {

/// f(place in the whole, place in the part, elements) for every run, each thread on its share of the elements.
template <class F>
CORTADO_INLINE void for_runs(Threads& team, const Parts<>& parts, const F& f) {
  const Parts<>* const p = &parts;
  const int64_t total = p->outer * p->width_of_whole;
  for_slices(team, total, kElementGrain, [p, &f](int64_t begin, int64_t end) {
    const int64_t row = p->width_of_whole;
    for (int64_t at = begin / row * row; at < end; at += row) {
      int64_t start = at;
      for (int k = 0; k < p->count; start += p->width[k], ++k) {
        const int64_t from = start > begin ? start : begin;
        const int64_t stop = start + p->width[k], to = stop < end ? stop : end;
        if (from < to && p->part[k])
          f(p->whole + from, p->part[k] + at / row * p->width[k] + (from - start), to - from);
      }
    }
  });
}

/// Joins its inputs along an axis; `extents` are theirs along it.
struct Concat {
  Parts<> parts;
  explicit Concat(Prepare& step) : parts(step, true) {}
  void run(const Run& run) const {
    for_runs(run.threads, parts, [](float* whole, const float* part, int64_t elements) {
      memcpy(whole, part, static_cast<size_t>(elements) * sizeof(float));
    });
  }
};

/// Cuts its input into its outputs along an axis; `extents` are theirs along it.
struct Slice {
  Parts<> parts;
  explicit Slice(Prepare& step) : parts(step, false) {}
  void run(const Run& run) const {
    for_runs(run.threads, parts, [](const float* whole, float* part, int64_t elements) {
      memcpy(part, whole, static_cast<size_t>(elements) * sizeof(float));
    });
  }
};

/// y = `tiles` copies of x along an axis.
struct Repeat {
  const float* x;
  float* y;
  int64_t outer, width, tiles;

  explicit Repeat(Prepare& step) : x(step.in(0).f32()), y(step.out(0).f32()), tiles(step.integer("tiles")) {
    const auto axis = static_cast<int>(step.integer("axis"));
    const Tensor from = step.in(0);
    step.expect(axis >= 0 && axis < from.rank && holds(from, from.size()), "an axis of x");
    step.expect(tiles > 0 && holds(step.out(0), from.size() * tiles), "a tensor for all copies");
    outer = from.count(0, axis);
    width = from.count(axis, from.rank);
  }

  void run(const Run& run) const {
    const Repeat s = *this;
    for_slices(run.threads, outer * tiles, kElementGrain / (width + 1) + 1, [s](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        memcpy(s.y + row * s.width, s.x + row / s.tiles * s.width, static_cast<size_t>(s.width) * sizeof(float));
      }
    });
  }
};

/// dx = sum of the copies' gradients.
struct RepeatGrad {
  const float* dy;
  float* dx;
  int64_t outer, width, tiles;

  explicit RepeatGrad(Prepare& step) : dy(step.in(0).f32()), dx(step.out(0).f32()), tiles(step.integer("tiles")) {
    const auto axis = static_cast<int>(step.integer("axis"));
    const Tensor to = step.out(0);
    step.expect(axis >= 0 && axis < to.rank && holds(to, to.size()), "an axis of x");
    step.expect(tiles > 0 && holds(step.in(0), to.size() * tiles), "the gradient of all copies");
    outer = to.count(0, axis);
    width = to.count(axis, to.rank);
  }

  void run(const Run& run) const {
    const RepeatGrad s = *this;
    for_slices(run.threads, outer * width, kElementGrain / tiles + 1, [s](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const float* from = s.dy + i / s.width * s.tiles * s.width + i % s.width;
        float sum = 0;
        for (int64_t t = 0; t < s.tiles; ++t) sum += from[t * s.width];
        s.dx[i] = sum;
      }
    });
  }
};

/// y = the box of x at `offsets` (one per axis) of y's extents.
struct Crop {
  const float* x;
  float* y;
  Box box;

  explicit Crop(Prepare& step) : x(step.in(0).f32()), y(step.out(0).f32()), box(step, step.in(0), step.out(0)) {}

  void run(const Run& run) const {
    const Crop* const s = this;
    for_slices(run.threads, box.rows, kElementGrain / box.width + 1, [s](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        memcpy(s->y + row * s->box.width, s->x + s->box.start(row), static_cast<size_t>(s->box.width) * sizeof(float));
      }
    });
  }
};

/// dx = dy in the box, 0 around it.
struct CropGrad {
  const float* dy;
  float* dx;
  int64_t n;
  Box box;

  explicit CropGrad(Prepare& step)
      : dy(step.in(0).f32()), dx(step.out(0).f32()), n(step.out(0).size()), box(step, step.out(0), step.in(0)) {}

  void run(const Run& run) const {
    const CropGrad* const s = this;
    for_slices(run.threads, n, kElementGrain, [s](int64_t begin, int64_t end) {
      memset(s->dx + begin, 0, static_cast<size_t>(end - begin) * sizeof(float));
    });
    for_slices(run.threads, box.rows, kElementGrain / box.width + 1, [s](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        memcpy(s->dx + s->box.start(row), s->dy + row * s->box.width,
               static_cast<size_t>(s->box.width) * sizeof(float));
      }
    });
  }
};

}  // namespace cortado::CORTADO_ISA
