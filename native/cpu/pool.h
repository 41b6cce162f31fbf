// Max and average pooling, forward. Outputs whose windows begin inside the plane's columns are computed kLanes at a
// time, tap by tap; those that begin in the padding one by one.
#pragma once

#include "../kernels/window.h"
#include "elementwise.h"
#include "pool_taps.h"
#include "reduce_planes.h"
#include "slices.h"

namespace cortado::CORTADO_ISA {

/// The first column of the output whose window begins inside the plane's columns.
CORTADO_INLINE int64_t first_inside(const PoolShape& s) {
  const int64_t first = (s.pad_w + s.stride_w - 1) / s.stride_w;
  return first < s.ow ? first : s.ow;
}

/// The windows of outputs [ow, ow + n), which all begin inside.
CORTADO_INLINE Windows windows_of(const PoolShape& s, int64_t ow, int64_t n, float outside) {
  return {n, s.stride_w, s.kernel_w, s.w + s.pad_w - ow * s.stride_w, splat(outside)};
}

/// Rows of one plane's maxima and their codes, kernel_w * row + column of the tap within the unclipped window: the
/// first in row-major order wins, a NaN loses to every number. x is the plane from its row `top` on; y and code, which
/// may be null, are the plane's outputs.
template <int Stride, int Width, class Code>
struct MaxRows {
  PoolShape s;
  const float* x;
  int64_t top;
  float* y;
  Code* code;

  void all(int64_t first, int64_t last) const {
    const int64_t inside = first_inside(s);
    for (int64_t oh = first; oh < last; ++oh) {
      for (int64_t ow = 0; ow < inside; ++ow) one(span(oh), oh, ow);
    }
    for (int64_t ow = inside; ow < s.ow; ow += kLanes) columns(first, last, ow);
  }

  /// One output; returns the index of its maximum in the plane.
  int64_t one(const WindowSpan& rows, int64_t oh, int64_t ow) const {
    const WindowSpan columns(ow, s.w, s.kernel_w, s.stride_w, s.pad_w);
    float best = -HUGE_VALF;
    int64_t r_best = rows.first, c_best = columns.first;
    for (int64_t r = rows.first; r < rows.last; ++r) {
      const float* from = row(rows, r) + s.pad_w + columns.start;
      for (int64_t c = columns.first; c < columns.last; ++c) {
        if (!(from[c] > best)) continue;
        best = from[c];
        r_best = r, c_best = c;
      }
    }
    if (y) y[oh * s.ow + ow] = best;
    if (code) code[oh * s.ow + ow] = static_cast<Code>(r_best * s.kernel_w + c_best);
    return (rows.start + r_best) * s.w + columns.start + c_best;
  }

  CORTADO_INLINE WindowSpan span(int64_t oh) const { return {oh, s.h, s.kernel_h, s.stride_h, s.pad_h}; }

 private:
  struct Larger {
    CORTADO_INLINE Vf operator()(Vf v, Vf best) const { return max(v, best); }
  };

  /// Whether a vector holds a row of the plane, and two of the output.
  CORTADO_INLINE bool two_fit() const {
    return Stride == 2 && Width == 3 && s.pad_w == 0 && s.w <= kLanes && 2 * s.ow <= kLanes;
  }
  /// Whether all rows of the window are inside, and the compiler knows how many they are.
  CORTADO_INLINE bool whole(int64_t oh) const {
    const int64_t start = oh * s.stride_h - s.pad_h;
    return Width > 0 && s.kernel_h == Width && start >= 0 && start + Width <= s.h;
  }
  /// The row of the plane that the window's row r lies in, from the first tap of output column 0 on.
  CORTADO_INLINE const float* row(const WindowSpan& rows, int64_t r) const {
    return x + (rows.start - top + r) * s.w - s.pad_w;
  }
  template <int Rows>
  CORTADO_INLINE RowsOf<Rows, Larger> joined(const WindowSpan& rows, int64_t column) const {
    return {row(rows, rows.first) + column, rows.last - rows.first, s.w, splat(-HUGE_VALF), Larger{}};
  }

  /// At most kLanes columns of the outputs, from row to row.
  void columns(int64_t first, int64_t last, int64_t ow) const {
    const MaxRows own = *this;  // a copy that no stored byte can be part of: what is computed from it stays so
    const Windows windows = windows_of(s, ow, s.ow - ow < kLanes ? s.ow - ow : kLanes, -HUGE_VALF);
    for (int64_t oh = first; oh < last; ++oh) {
      if (!own.whole(oh)) {
        own.template some<0>(windows, oh, ow);
      } else if (own.two_fit() && oh + 1 < last && own.whole(oh + 1)) {
        own.both(windows, oh++);
      } else {
        own.template some<Width>(windows, oh, ow);
      }
    }
  }

  /// Outputs of one row, from column ow on.
  template <int Rows>
  CORTADO_INLINE void some(const Windows& windows, int64_t oh, int64_t ow) const {
    const int64_t at = oh * s.ow + ow, column = ow * s.stride_w;
    const WindowSpan rows = span(oh);
    if (!code) return store_part(y + at, largest(windows, joined<Rows>(rows, column)), windows.n);
    const Largest best = coded<Rows>(
        rows, windows, [&](int64_t r) __attribute__((always_inline)) { return RowOf{row(rows, r) + column}; });
    if (y) store_part(y + at, best.value, windows.n);
    store_part(code + at, best.code, windows.n);
  }

  /// All outputs of two whole rows.
  CORTADO_INLINE void both(const Windows& windows, int64_t oh) const {
    if constexpr (Stride == 2 && Width == 3) {
      const int64_t at = oh * s.ow;
      const WindowSpan upper = span(oh), lower = span(oh + 1);
      if (!code) {
        const Both<RowsOf<Width, Larger>> rows{joined<Width>(upper, 0), joined<Width>(lower, 0)};
        return put(at, largest(windows, rows));
      }
      const Largest best = coded<Width>(upper, windows, [&](int64_t r) __attribute__((always_inline)) {
        return Both<RowOf>{{row(upper, r)}, {row(lower, r)}};
      });
      if (y) put(at, best.value);
      store_part(code + at, best.code, s.ow);
      store_part(code + at + s.ow, bits(rotate<kLanes / 2>(from_bits(best.code), AllLanes{})), s.ow);
    }
  }
  CORTADO_INLINE void put(int64_t at, Vf two) const {
    store_part(y + at, two, s.ow);
    store_part(y + at + s.ow, rotate<kLanes / 2>(two, AllLanes{}), s.ow);
  }

  template <class Row>
  CORTADO_INLINE static Vf largest(const Windows& windows, const Row& rows) {
    Vf best = windows.outside;
    each_tap<Stride, Width>(rows, windows, [&](int, Vf v) { best = max(v, best); });
    return best;
  }

  struct Largest {
    Vf value;
    Vi code;
    CORTADO_INLINE void join(Vf v, Vi tap) {
      const Vi more = v > value;
      value = select(more, v, value);
      code = select(more, tap, code);
    }
    CORTADO_INLINE void join(const Largest& other) { join(other.value, other.code); }
  };
  template <int Rows, class RowAt>
  CORTADO_INLINE Largest coded(const WindowSpan& rows, const Windows& windows, const RowAt& row_at) const {
    const int width = Width > 0 ? Width : static_cast<int>(s.kernel_w);
    // Each row by itself first: nine comparisons that wait for each other would take longer than all the rest.
    const auto largest_of = [&](int r) __attribute__((always_inline)) {
      Largest own{windows.outside, splat(r * width)};
      each_tap<Stride, Width>(row_at(r), windows,
                              [&](int c, Vf v) __attribute__((always_inline)) { own.join(v, splat(r * width + c)); });
      return own;
    };
    if constexpr (Rows > 0) {
      Largest best = largest_of(0);
#pragma GCC unroll 3
      for (int r = 1; r < Rows; ++r) best.join(largest_of(r));
      return best;
    } else {
      Largest best = largest_of(static_cast<int>(rows.first));
      for (int r = static_cast<int>(rows.first) + 1; r < rows.last; ++r) best.join(largest_of(r));
      return best;
    }
  }
};

/// Calls f with the stride and width of the window, 0 where the compiler need not know them.
template <class F>
CORTADO_INLINE void with_window(const PoolShape& s, const F& f) {
  if (s.stride_w == 2 && s.kernel_w == 3) return f(Lanes<2, 3>{});
  if (s.stride_w == 2 && s.kernel_w == 2) return f(Lanes<2, 2>{});
  if (s.stride_w == 1 && s.kernel_w == 3) return f(Lanes<1, 3>{});
  if (s.stride_w == 1) return f(Lanes<1, 0>{});
  if (s.stride_w == 2) return f(Lanes<2, 0>{});
  f(Lanes<0, 0>{});
}

/// x (n, c, h, w) -> y (n, c, oh, ow), mask (index of the maximum in its plane, as float), code (u8, or i32 for windows
/// of more than 256 taps; for the gradient).
struct MaxPool {
  Tensor x, y, mask, code;
  PoolShape shape;

  explicit MaxPool(Prepare& step)
      : x(step.in(0)), y(step.out(0)), mask(step.out(1)), code(step.out(2)), shape(PoolShape::of_max(step)) {}

  void run(const Run& run) const {
    if (code && code.dtype == DType::i32) {
      planes(run, code.i32());
    } else {
      planes(run, code.u8());
    }
  }

 private:
  template <class Code>
  void planes(const Run& run, Code* codes) const {
    const int64_t pixels = shape.h * shape.w, outputs = shape.oh * shape.ow;
    with_window(shape, [&]<int Stride, int Width>(Lanes<Stride, Width>) {
      for_slices(run.threads, shape.planes, grain_of(pixels), [&](int64_t begin, int64_t end) {
        for (int64_t p = begin; p < end; ++p) {
          const MaxRows<Stride, Width, Code> rows{shape, x.f32() + p * pixels, 0, y ? y.f32() + p * outputs : nullptr,
                                                  codes ? codes + p * outputs : nullptr};
          if (mask) {
            indices(rows, mask.f32() + p * outputs);
          } else {
            rows.all(0, shape.oh);
          }
        }
      });
    });
  }

  template <class Rows>
  void indices(const Rows& rows, float* to) const {
    for (int64_t oh = 0; oh < shape.oh; ++oh) {
      for (int64_t ow = 0; ow < shape.ow; ++ow) *to++ = static_cast<float>(rows.one(rows.span(oh), oh, ow));
    }
  }
};

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
    for (int64_t ow = inside; ow < shape.ow; ow += kLanes) columns<Stride, Width>(from, to, ow);
  }

  /// At most kLanes columns of the outputs, from row to row.
  template <int Stride, int Width>
  void columns(const float* from, float* to, int64_t ow) const {
    const PoolShape s = shape;
    const int64_t column = ow * s.stride_w - s.pad_w;
    const Windows windows = windows_of(s, ow, s.ow - ow < kLanes ? s.ow - ow : kLanes, 0);
    // The last windows may reach beyond the padding: what does counts in no extent.
    const Vi left = splat(static_cast<int32_t>(s.w + s.pad_w - column)) - iota() * static_cast<int32_t>(s.stride_w);
    const Vf width = to_float(min(left, splat(static_cast<int32_t>(s.kernel_w))));
    for (int64_t oh = 0; oh < s.oh; ++oh) {
      const WindowSpan rows(oh, s.h, s.kernel_h, s.stride_h, s.pad_h);
      const float* first = from + (rows.start + rows.first) * s.w + column;
      const Vf size = width * static_cast<float>(rows.extent);
      const int64_t count = rows.last - rows.first;
      const Vf total = Width > 0 && count == Width
                           ? sum_of_taps<Stride, Width>(RowsOf<Width, Sum>{first, count, s.w, zero(), Sum{}}, windows)
                           : sum_of_taps<Stride, Width>(RowsOf<0, Sum>{first, count, s.w, zero(), Sum{}}, windows);
      store_part(to + oh * s.ow + ow, total / size, windows.n);
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
