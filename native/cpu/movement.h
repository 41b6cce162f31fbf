// Kernels that only move elements: concat, slice, tile, crop.
#pragma once

#include "elementwise.h"

namespace cortado::CORTADO_ISA {

/// How many tensors one concat joins or one slice makes.
constexpr int kMaxParts = 256;

/// Parts of a whole along one axis: part k is `outer` runs of width[k] elements, the whole has runs of
/// `width_of_whole`.
struct Parts {
  float* part[kMaxParts];
  int64_t width[kMaxParts];
  float* whole;
  int64_t outer, width_of_whole;
  int count;

  /// `reads_parts` says which side the step's inputs are; parts that the step would write may be absent.
  Parts(Prepare& step, bool reads_parts) : count(reads_parts ? step.inputs() : step.outputs()) {
    const Tensor all = reads_parts ? step.out(0) : step.in(0);
    const auto axis = static_cast<int>(step.integer("axis"));
    double extents[kMaxParts];
    const int given = step.list("extents", extents, kMaxParts);
    step.expect(holds(all, all.size()) && axis >= 0 && axis < all.rank && given == count, "an extent for every part");
    whole = all.f32();
    outer = all.count(0, axis);
    width_of_whole = all.count(axis, all.rank);
    int64_t total = 0;
    for (int k = 0; k < count; ++k) {
      const Tensor one = reads_parts ? step.in(k) : step.out(k);
      part[k] = one.f32();
      step.expect(extents[k] >= 0 && extents[k] <= static_cast<double>(all.dim[axis]), "parts within the whole");
      width[k] = static_cast<int64_t>(extents[k]) * all.count(axis + 1, all.rank);
      total += width[k];
      step.expect(reads_parts ? holds(one, outer * width[k]) : may_hold(one, outer * width[k]),
                  "parts of their extent");
    }
    step.expect(total == width_of_whole, "parts that make up the whole");
  }

  /// f(place in the whole, place in the part, elements) for every run, each thread on its share of the elements.
  template <class F>
  CORTADO_INLINE void for_runs(Threads& team, const F& f) const {
    const Parts* const p = this;
    const int64_t total = outer * width_of_whole;
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
};

/// Joins its inputs along an axis; `extents` are theirs along it.
struct Concat {
  Parts parts;
  explicit Concat(Prepare& step) : parts(step, true) {}
  void run(const Run& run) const {
    parts.for_runs(run.threads, [](float* whole, const float* part, int64_t elements) {
      memcpy(whole, part, static_cast<size_t>(elements) * sizeof(float));
    });
  }
};

/// Cuts its input into its outputs along an axis; `extents` are theirs along it.
struct Slice {
  Parts parts;
  explicit Slice(Prepare& step) : parts(step, false) {}
  void run(const Run& run) const {
    parts.for_runs(run.threads, [](const float* whole, float* part, int64_t elements) {
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

/// A box inside a larger tensor: rows of `width` elements, `start(row)` is where row `row` of the box begins.
struct Box {
  int64_t dim[kMaxRank], stride[kMaxRank], offset, rows, width;
  int rank;

  Box(Prepare& step, const Tensor& large, const Tensor& small) : offset(0), rank(small.rank) {
    double offsets[kMaxRank];
    const int given = step.list("offsets", offsets, kMaxRank);
    step.expect(given == rank && large.rank == rank, "an offset for every axis");
    step.expect(holds(large, large.size()) && holds(small, small.size()) && small.size() > 0, "a box and its whole");
    for (int i = 0; i < rank; ++i) {
      const auto room = static_cast<double>(large.dim[i] - small.dim[i]);
      step.expect(offsets[i] >= 0 && offsets[i] <= room, "a box within the whole");
      dim[i] = small.dim[i];
      stride[i] = large.count(i + 1, rank);
      offset += static_cast<int64_t>(offsets[i]) * stride[i];
    }
    width = rank > 0 ? dim[rank - 1] : 1;
    rows = small.size() / width;
  }

  CORTADO_INLINE int64_t start(int64_t row) const {
    int64_t at = offset;
    for (int i = rank - 2; i >= 0; --i) {
      at += row % dim[i] * stride[i];
      row /= dim[i];
    }
    return at;
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
