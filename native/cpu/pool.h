// Max pooling, forward. Outputs whose windows begin inside the plane's columns are computed kLanes at a time, tap by
// tap; those that begin in the padding one by one.
#pragma once

#include "../kernels/window.h"
#include "elementwise.h"
#include "pool_taps.h"
#include "slices.h"

namespace cortado::CORTADO_ISA {

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
  int64_t next = 0;  // distance of what is on its way to the cache meanwhile; none if 0

  void all(int64_t first, int64_t last) const {
    const int64_t inside = first_inside(s);
    for (int64_t oh = first; oh < last; ++oh) {
      for (int64_t ow = 0; ow < inside; ++ow) one(span(oh), oh, ow);
    }
    each_columns(s, [&](int64_t ow) { columns(first, last, ow); });
  }

  /// One output; returns the index of its maximum in the plane.
  int64_t one(const WindowSpan& rows, int64_t oh, int64_t ow) const {
    const WindowSpan columns(ow, s.w, s.kernel_w, s.stride_w, s.pad_w);
    float best = -HUGE_VALF;
    int64_t tap = rows.first * s.kernel_w + columns.first;
    for (int64_t r = rows.first; r < rows.last; ++r) {
      const float* from = row(rows, r) + s.pad_w + columns.start;
      for (int64_t c = columns.first; c < columns.last; ++c) {
        // Both chosen without a branch, which nobody would foresee.
        const bool more = from[c] > best;
        best = more ? from[c] : best;
        tap = more ? r * s.kernel_w + c : tap;
      }
    }
    if (y) y[oh * s.ow + ow] = best;
    if (code) code[oh * s.ow + ow] = static_cast<Code>(tap);
    return (rows.start + tap / s.kernel_w) * s.w + columns.start + tap % s.kernel_w;
  }

  CORTADO_INLINE WindowSpan span(int64_t oh) const { return {oh, s.h, s.kernel_h, s.stride_h, s.pad_h}; }

 private:
  struct Larger {
    CORTADO_INLINE Vf operator()(Vf v, Vf best) const { return max(v, best); }
  };

  /// Calls what the windows from `at` on do not share with those below them, as far on as `next`.
  CORTADO_INLINE void call_next(const float* at) const {
    if (next != 0) call(at + next, s.stride_h, s.w, s.stride_w * kLanes);
  }
  /// Whether all rows of the window are inside, and the compiler knows how many they are.
  CORTADO_INLINE bool whole(int64_t oh) const {
    const int64_t start = oh * s.stride_h - s.pad_h;
    return Width > 0 && s.kernel_h == Width && start >= 0 && start + Width <= s.h;
  }
  /// Whether whole windows share rows with the next ones.
  CORTADO_INLINE bool overlap() const { return Width == 3 && Stride > 0 && s.stride_h == Stride; }
  /// The row of the plane that the window's row r lies in, from the first tap of output column 0 on.
  CORTADO_INLINE const float* row(const WindowSpan& rows, int64_t r) const {
    return x + (rows.start - top + r) * s.w - s.pad_w;
  }
  template <int Rows>
  CORTADO_INLINE RowsOf<Rows, Larger> joined(const WindowSpan& rows, int64_t column) const {
    return {row(rows, rows.first) + column, rows.last - rows.first, s.w, splat(-HUGE_VALF), Larger{}};
  }

  /// Maxima and the taps that they are at.
  struct Largest {
    Vf value;
    Vi code;
    CORTADO_INLINE void join(Vf v, Vi tap) {
      const Vi more = v > value;
      value = max(v, value);
      code = select(more, tap, code);
    }
    /// Those of a later row, whose taps are counted from `tap` on.
    CORTADO_INLINE void join(const Largest& row, int tap) { join(row.value, row.code + splat(tap)); }
  };

  /// At most kLanes columns of the outputs, from row to row.
  void columns(int64_t first, int64_t last, int64_t ow) const {
    const MaxRows own = *this;  // a copy that no stored byte can be part of: what is computed from it stays so
    with_windows<Width>(windows_of(s, ow, -HUGE_VALF), [&](const Windows& windows) __attribute__((always_inline)) {
      own.down(windows, first, last, ow);
    });
  }
  CORTADO_INLINE void down(const Windows& windows, int64_t first, int64_t last, int64_t ow) const {
    for (int64_t oh = first; oh < last; ++oh) {
      if (!whole(oh)) {
        some<0>(windows, oh, ow);
      } else if (two_fit<Stride, Width>(s) && oh + 1 < last && whole(oh + 1)) {
        both(windows, oh++);
      } else if (overlap()) {
        oh = overlapping(windows, oh, last, ow) - 1;
      } else {
        some<Width>(windows, oh, ow);
      }
    }
  }

  /// Outputs of one row, from column ow on.
  template <int Rows>
  CORTADO_INLINE void some(const Windows& windows, int64_t oh, int64_t ow) const {
    const int64_t at = oh * s.ow + ow, column = ow * s.stride_w;
    const WindowSpan rows = span(oh);
    call_next(row(rows, rows.first) + column);
    if (!code) return store_lanes(y + at, largest(windows, joined<Rows>(rows, column)), windows.n);
    const Largest best = coded<Rows>(
        rows, windows, [&](int64_t r) __attribute__((always_inline)) { return RowOf{row(rows, r) + column}; });
    if (y) store_lanes(y + at, best.value, windows.n);
    store_part(code + at, best.code, windows.n);
  }

  /// Outputs of rows [oh, last) from column ow on, as far as their windows are whole; returns the first row that is
  /// left. Each row of the plane is looked at once.
  CORTADO_INLINE int64_t overlapping(const Windows& windows, int64_t oh, int64_t last, int64_t ow) const {
    constexpr int kStep = Stride > 0 ? Stride : 1;  // without one this is never called
    const int64_t whole_to = (s.h + s.pad_h - Width) / kStep + 1, end = last < whole_to ? last : whole_to;
    const float* from = row(span(oh), 0) + ow * kStep;
    int64_t at = oh * s.ow + ow;
    const auto each = [&](const auto& of_row, const auto& put) __attribute__((always_inline)) {
      decltype(of_row(from)) rows[Width > 0 ? Width : 1];
#pragma GCC unroll 3
      for (int r = kStep; r < Width; ++r) rows[r] = of_row(from + (r - kStep) * s.w);
      for (; oh < end; ++oh, at += s.ow, from += kStep * s.w) {
        call_next(from);
#pragma GCC unroll 3
        for (int r = 0; r < Width; ++r) rows[r] = r + kStep < Width ? rows[r + kStep] : of_row(from + r * s.w);
        put(rows);
      }
    };
    if (!code) {
      each([&](const float* p) __attribute__((always_inline)) { return largest(windows, RowOf{p}); },
           [&](const Vf* rows) __attribute__((always_inline)) {
             Vf best = rows[0];
#pragma GCC unroll 3
             for (int r = 1; r < Width; ++r) best = max(rows[r], best);
             store_lanes(y + at, best, windows.n);
           });
      return end;
    }
    each([&](const float* p) __attribute__((always_inline)) { return largest_of(RowOf{p}, windows); },
         [&](const Largest* rows) __attribute__((always_inline)) {
           Largest best = rows[0];
#pragma GCC unroll 3
           for (int r = 1; r < Width; ++r) best.join(rows[r], r * Width);
           if (y) store_lanes(y + at, best.value, windows.n);
           store_part(code + at, best.code, windows.n);
         });
    return end;
  }

  /// All outputs of two whole rows.
  CORTADO_INLINE void both(const Windows& windows, int64_t oh) const {
    if constexpr (Stride == 2 && Width == 3) {
      const int64_t at = oh * s.ow;
      const WindowSpan upper = span(oh), lower = span(oh + 1);
      if (!code) {
        const Both<RowsOf<Width, Larger>> rows{joined<Width>(upper, 0), joined<Width>(lower, 0)};
        return store_two(y + at, largest(windows, rows), s.ow);
      }
      const Largest best = coded<Width>(upper, windows, [&](int64_t r) __attribute__((always_inline)) {
        return Both<RowOf>{{row(upper, r)}, {row(lower, r)}};
      });
      if (y) store_two(y + at, best.value, s.ow);
      store_part(code + at, best.code, s.ow);
      store_part(code + at + s.ow, bits(rotate<kLanes / 2>(from_bits(best.code), AllLanes{})), s.ow);
    }
  }
  template <class Row>
  CORTADO_INLINE static Vf largest(const Windows& windows, const Row& rows) {
    Vf best = windows.outside;
    each_tap<Stride, Width>(rows, windows, [&](int, Vf v) { best = max(v, best); });
    return best;
  }

  /// Those of one row: by itself, since nine comparisons that wait for each other would take longer than all the rest.
  template <class Row>
  CORTADO_INLINE static Largest largest_of(const Row& row, const Windows& windows) {
    Largest own{splat(-HUGE_VALF), Vi{}};
    each_tap<Stride, Width>(row, windows, [&](int c, Vf v) __attribute__((always_inline)) {
      if (c == 0) {
        own.value = max(v, own.value);
      } else {
        own.join(v, splat(c));
      }
    });
    return own;
  }

  template <int Rows, class RowAt>
  CORTADO_INLINE Largest coded(const WindowSpan& rows, const Windows& windows, const RowAt& row_at) const {
    const int width = Width > 0 ? Width : static_cast<int>(s.kernel_w);
    if constexpr (Rows > 0) {
      Largest best = largest_of(row_at(0), windows);
#pragma GCC unroll 3
      for (int r = 1; r < Rows; ++r) best.join(largest_of(row_at(r), windows), r * width);
      return best;
    } else {
      Largest best = largest_of(row_at(rows.first), windows);
      best.code += splat(static_cast<int32_t>(rows.first) * width);
      for (int r = static_cast<int>(rows.first) + 1; r < rows.last; ++r)
        best.join(largest_of(row_at(r), windows), r * width);
      return best;
    }
  }
};

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
          MaxRows<Stride, Width, Code> rows{shape, x.f32() + p * pixels, 0, y ? y.f32() + p * outputs : nullptr,
                                            codes ? codes + p * outputs : nullptr};
          if (mask) {
            indices(rows, mask.f32() + p * outputs);
          } else {
            each_band(shape, [&](int64_t first, int64_t last, int64_t next) {
              rows.next = next;
              rows.all(first, last);
            });
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

}  // namespace cortado::CORTADO_ISA
