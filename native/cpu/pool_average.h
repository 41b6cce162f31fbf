// Average pooling, forward, by vectors of windows as in pool.h.
#pragma once

#include "../kernels/window.h"
#include "elementwise.h"
#include "pool_taps.h"
#include "reduce_planes.h"
#include "slices.h"

namespace cortado::CORTADO_ISA {

/// x (n, c, h, w) -> y (n, c, oh, ow): sums divided by the window's extent in the padded plane.
struct AveragePool {
  Tensor x, y;
  PoolShape shape;

  explicit AveragePool(Prepare& step) : x(step.in(0)), y(step.out(0)), shape(PoolShape::of_average(step)) {}

  void run(const Run& run) const {
    const int64_t pixels = shape.h * shape.w;
    with_window(shape, [&]<int Stride, int Width>(Lanes<Stride, Width>) {
      for_slices(run.threads, shape.planes, grain_of(pixels), [&](int64_t begin, int64_t end) {
        for (int64_t p = begin; p < end; ++p) {
          if (shape.global()) {
            y.f32()[p] = sum_of(x.f32() + p * pixels, pixels) / static_cast<float>(pixels);
          } else {
            plane<Stride, Width>(x.f32() + p * pixels, y.f32() + p * shape.oh * shape.ow);
          }
        }
      });
    });
  }

 private:
  struct Sum {
    CORTADO_INLINE Vf operator()(Vf v, Vf total) const { return v + total; }
  };

  template <int Stride, int Width>
  void plane(const float* from, float* to) const {
    const int64_t inside = first_inside(shape);
    for (int64_t oh = 0; oh < shape.oh; ++oh) {
      const WindowSpan rows(oh, shape.h, shape.kernel_h, shape.stride_h, shape.pad_h);
      for (int64_t ow = 0; ow < inside; ++ow) to[oh * shape.ow + ow] = one(from, rows, ow);
    }
    each_band(shape, [&](int64_t first, int64_t last, int64_t next) {
      each_columns(shape, [&](int64_t ow) {
        with_windows<Width>(windows_of(shape, ow, 0), [&](const Windows& windows) __attribute__((always_inline)) {
          columns<Stride, Width>(windows, from, to, ow, first, last, next);
        });
      });
    });
  }

  template <int Rows>
  CORTADO_INLINE RowsOf<Rows, Sum> joined(const float* x, int64_t rows) const {
    return {x, rows, shape.w, zero(), Sum{}};
  }

  /// Calls what the windows from `at` on do not share with those below them.
  template <int Stride>
  CORTADO_INLINE void call_next(const float* at) const {
    call(at, shape.stride_h, shape.w, (Stride > 0 ? Stride : shape.stride_w) * kLanes);
  }

  /// At most kLanes columns of the outputs, from row to row.
  template <int Stride, int Width>
  CORTADO_INLINE void columns(const Windows& windows, const float* from, float* to, int64_t ow, int64_t begin,
                              int64_t end, int64_t next) const {
    const AveragePool own = *this;  // a copy that no stored number can be part of: what is computed from it stays so
    const PoolShape& s = own.shape;
    const int64_t column = ow * s.stride_w - s.pad_w;
    // Where two rows fit, each has half of the lanes.
    const Vi lane = two_fit<Stride, Width>(s) ? iota() & (kLanes / 2 - 1) : iota();
    // The last windows may reach beyond the padding: what does counts in no extent.
    const Vi left = splat(static_cast<int32_t>(s.w + s.pad_w - column)) - lane * static_cast<int32_t>(s.stride_w);
    const Vf width = to_float(min(left, splat(static_cast<int32_t>(s.kernel_w))));
    for (int64_t oh = begin; oh < end;) {
      const WindowSpan rows(oh, s.h, s.kernel_h, s.stride_h, s.pad_h);
      const float* first = from + (rows.start + rows.first) * s.w + column;
      float* into = to + oh * s.ow + ow;
      if (Width > 0 && s.kernel_h == Width && rows.last - rows.first == Width) {
        const int64_t whole_to = (s.h + s.pad_h - Width) / s.stride_h + 1, last = end < whole_to ? end : whole_to;
        own.whole_rows<Stride, Width>(windows, first, into, width, last - oh, next);
        oh = last;
      } else {
        own.call_next<Stride>(first + next);
        const Vf total = sum_of_taps<Stride, Width>(own.joined<0>(first, rows.last - rows.first), windows);
        store_lanes(into, total / (width * static_cast<float>(rows.extent)), windows.n);
        ++oh;
      }
    }
  }

  /// So many rows of them, whose windows' rows are all inside.
  template <int Stride, int Width>
  CORTADO_INLINE void whole_rows(const Windows& windows, const float* x, float* to, Vf width, int64_t count,
                                 int64_t next) const {
    const int64_t step = shape.stride_h * shape.w;
    const Vf size = width * static_cast<float>(Width);
    if constexpr (Stride == 2 && Width == 3) {
      for (const bool two = two_fit<Stride, Width>(shape); two && count > 1; count -= 2) {
        call_next<Stride>(x + next);
        const Both<RowsOf<Width, Sum>> both{joined<Width>(x, Width), joined<Width>(x + step, Width)};
        store_two(to, sum_of_taps<Stride, Width>(both, windows) / size, windows.n);
        x += 2 * step, to += 2 * shape.ow;
      }
    }
    for (; count > 0; --count, x += step, to += shape.ow) {
      call_next<Stride>(x + next);
      store_lanes(to, sum_of_taps<Stride, Width>(joined<Width>(x, Width), windows) / size, windows.n);
    }
  }

  template <int Stride, int Width, class Rows>
  CORTADO_INLINE static Vf sum_of_taps(const Rows& rows, const Windows& windows) {
    Vf total = zero();
    each_tap<Stride, Width>(rows, windows, [&](int, Vf v) __attribute__((always_inline)) { total += v; });
    return total;
  }

  float one(const float* from, const WindowSpan& rows, int64_t ow) const {
    const WindowSpan columns(ow, shape.w, shape.kernel_w, shape.stride_w, shape.pad_w);
    float total = 0;
    for (int64_t r = rows.first; r < rows.last; ++r) {
      const float* row = from + (rows.start + r) * shape.w + columns.start;
      for (int64_t c = columns.first; c < columns.last; ++c) total += row[c];
    }
    return total / static_cast<float>(rows.extent * columns.extent);
  }
};

}  // namespace cortado::CORTADO_ISA
