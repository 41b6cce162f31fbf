// Max and average pooling, forward. Outputs whose window lies inside the plane's columns are computed kLanes at a time,
// tap by tap; those at the edges one by one.
#pragma once

#include "../kernels/window.h"
#include "elementwise.h"
#include "reduce_planes.h"
#include "simd.h"
#include "slices.h"

namespace cortado::CORTADO_ISA {

template <int Stride, int... I>
CORTADO_INLINE Vf every(Vf a, Vf b, Lanes<I...>) {
  return shuffle<(Stride * I < kLanes ? Stride * I : Stride * I + 1)...>(a, b);
}

/// p[0], p[stride], p[2 stride] ... of the first n lanes; reads nothing beyond the last of them. Stride 0: any other.
template <int Stride>
CORTADO_INLINE Vf load_strided(const float* p, int64_t stride, int64_t n) {
  if constexpr (Stride == 1) {
    return load_lanes(p, n);
  } else if constexpr (Stride == 2) {
    // The second vector overlaps the first by one element, so that it ends where the last lane's does.
    const int64_t reach = 2 * n - 1;
    if (n == kLanes) return every<2>(load(p), load(p + kLanes - 1), AllLanes{});
    const Vf a = load_part(p, reach < kLanes ? reach : kLanes);
    if (reach <= kLanes) return every<2>(a, a, AllLanes{});
    return every<2>(a, load_part(p + kLanes - 1, reach - kLanes + 1), AllLanes{});
  } else {
    return gather(p, min(iota(), splat(static_cast<int32_t>(n - 1))) * splat(static_cast<int32_t>(stride)));
  }
}

/// p[0], p[2] ..., p[1], p[3] ... and p[2], p[4] ...: the three taps of n windows, from half the loads.
template <int... I>
CORTADO_INLINE void load_pairs(const float* p, int64_t n, Vf (&tap)[3], Lanes<I...>) {
  const int64_t reach = 2 * n + 1;
  const bool whole = n == kLanes;
  const Vf a = reach >= kLanes ? load(p) : load_part(p, reach);
  const Vf b = whole ? load(p + kLanes) : reach > kLanes ? load_part(p + kLanes, reach - kLanes) : zero();
  const Vf last = whole ? load(p + kLanes + 1) : zero();  // its last lane is p[2 kLanes]
  tap[0] = shuffle<(2 * I)...>(a, b);
  tap[1] = shuffle<(2 * I + 1)...>(a, b);
  tap[2] = shuffle<(I + 1 < kLanes ? I + 1 : 2 * kLanes - 1)...>(tap[0], last);
}

/// f(column, numbers) for the taps of n windows that begin `stride` apart in a row.
template <int Stride, int Width, class F>
CORTADO_INLINE void each_tap(const float* row, int64_t stride, int64_t width, int64_t n, const F& f) {
  if constexpr (Stride == 2 && Width == 3) {
    Vf tap[3];
    load_pairs(row, n, tap, AllLanes{});
#pragma GCC unroll 3
    for (int c = 0; c < 3; ++c) f(int64_t{c}, tap[c]);
  } else {
#pragma GCC unroll 3
    for (int64_t c = 0; c < (Width > 0 ? Width : width); ++c) f(c, load_strided<Stride>(row + c, stride, n));
  }
}

using Bytes = uint8_t __attribute__((vector_size(kLanes)));

CORTADO_INLINE void store_codes(uint8_t* p, Vi v, int64_t n) {
  const Bytes bytes = __builtin_convertvector(v, Bytes);
  if (n == kLanes) {
    memcpy(p, &bytes, kLanes);
  } else {
    for (int64_t i = 0; i < n; ++i) p[i] = bytes[i];
  }
}
CORTADO_INLINE void store_codes(int32_t* p, Vi v, int64_t n) {
  if (n == kLanes) {
    store(p, v);
  } else {
    store_part(p, v, n);
  }
}

CORTADO_INLINE Vi load_codes(const uint8_t* p, int64_t n) {
  Bytes bytes{};
  if (n == kLanes) {
    memcpy(&bytes, p, kLanes);
  } else {
    for (int64_t i = 0; i < n; ++i) bytes[i] = p[i];
  }
  return __builtin_convertvector(bytes, Vi);
}
CORTADO_INLINE Vi load_codes(const int32_t* p, int64_t n) { return n == kLanes ? load(p) : load_part(p, n); }

/// Columns [first, last) of the output whose windows lie inside the plane's columns.
struct Interior {
  int64_t first, last;
  explicit Interior(const PoolShape& s) {
    const int64_t room = s.w + s.pad_w - s.kernel_w;
    last = room < 0 ? 0 : room / s.stride_w + 1;
    if (last > s.ow) last = s.ow;
    first = (s.pad_w + s.stride_w - 1) / s.stride_w;
    if (first > last) first = last;
  }
};

/// The largest element of each window and its code, kernel_w * row + column of the tap within the unclipped window: the
/// first in row-major order wins, a NaN loses to every number.
template <int Stride, int Width, class Code>
struct MaxRow {
  const PoolShape& s;
  const float* x;  // plane
  WindowSpan rows;
  float* y;    // row, or null
  Code* code;  // row, or null

  /// All outputs of the row.
  void all(const Interior& inner) const {
    const bool some = inner.last - inner.first >= 2;
    const int64_t first = some ? inner.first : s.ow, last = some ? inner.last : s.ow;
    for (int64_t ow = 0; ow < first; ++ow) edge(ow);
    inside(first, last);
    for (int64_t ow = last; ow < s.ow; ++ow) edge(ow);
  }

  void inside(int64_t begin, int64_t end) const {
    for (int64_t ow = begin; ow < end; ow += kLanes) {
      const int64_t n = end - ow < kLanes ? end - ow : kLanes;
      Vf best = splat(-HUGE_VALF);
      Vi at = splat(static_cast<int32_t>(rows.first * s.kernel_w));
      for (int64_t r = rows.first; r < rows.last; ++r) {
        const float* row = x + (rows.start + r) * s.w + ow * s.stride_w - s.pad_w;
        each_tap<Stride, Width>(row, s.stride_w, s.kernel_w, n, [&](int64_t c, Vf v) {
          const Vi more = v > best;
          best = select(more, v, best);
          if (code) at = select(more, splat(static_cast<int32_t>(r * s.kernel_w + c)), at);
        });
      }
      if (y) store_lanes(y + ow, best, n);
      if (code) store_codes(code + ow, at, n);
    }
  }

  /// One output; returns the index of its maximum in the plane.
  int64_t edge(int64_t ow) const {
    const WindowSpan columns(ow, s.w, s.kernel_w, s.stride_w, s.pad_w);
    float best = -HUGE_VALF;
    int64_t r_best = rows.first, c_best = columns.first;
    for (int64_t r = rows.first; r < rows.last; ++r) {
      const float* row = x + (rows.start + r) * s.w + columns.start;
      for (int64_t c = columns.first; c < columns.last; ++c) {
        if (!(row[c] > best)) continue;
        best = row[c];
        r_best = r, c_best = c;
      }
    }
    if (y) y[ow] = best;
    if (code) code[ow] = static_cast<Code>(r_best * s.kernel_w + c_best);
    return (rows.start + r_best) * s.w + columns.start + c_best;
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
    with_window(shape, [&]<int Stride, int Width>(Lanes<Stride, Width>) {
      for_slices(run.threads, shape.planes, grain_of(shape.h * shape.w), [&](int64_t begin, int64_t end) {
        for (int64_t p = begin; p < end; ++p) plane<Stride, Width>(p, codes);
      });
    });
  }

  template <int Stride, int Width, class Code>
  void plane(int64_t p, Code* codes) const {
    const Interior inner(shape);
    for (int64_t oh = 0; oh < shape.oh; ++oh) {
      const int64_t at = (p * shape.oh + oh) * shape.ow;
      const MaxRow<Stride, Width, Code> row{shape, x.f32() + p * shape.h * shape.w,
                                            WindowSpan(oh, shape.h, shape.kernel_h, shape.stride_h, shape.pad_h),
                                            y ? y.f32() + at : nullptr, codes ? codes + at : nullptr};
      if (mask) {
        for (int64_t ow = 0; ow < shape.ow; ++ow) mask.f32()[at + ow] = static_cast<float>(row.edge(ow));
        continue;
      }
      row.all(inner);
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
  template <int Stride, int Width>
  void plane(const float* from, float* to) const {
    const Interior inner(shape);
    for (int64_t oh = 0; oh < shape.oh; ++oh, to += shape.ow) {
      const WindowSpan rows(oh, shape.h, shape.kernel_h, shape.stride_h, shape.pad_h);
      for (int64_t ow = 0; ow < inner.first; ++ow) to[ow] = edge(from, rows, ow);
      inside<Stride, Width>(from, rows, to, inner);
      for (int64_t ow = inner.last; ow < shape.ow; ++ow) to[ow] = edge(from, rows, ow);
    }
  }

  template <int Stride, int Width>
  void inside(const float* from, const WindowSpan& rows, float* to, const Interior& inner) const {
    const Vf size = splat(static_cast<float>(rows.extent * shape.kernel_w));
    for (int64_t ow = inner.first; ow < inner.last; ow += kLanes) {
      const int64_t n = inner.last - ow < kLanes ? inner.last - ow : kLanes;
      Vf total = zero();
      for (int64_t r = rows.first; r < rows.last; ++r) {
        const float* row = from + (rows.start + r) * shape.w + ow * shape.stride_w - shape.pad_w;
        each_tap<Stride, Width>(row, shape.stride_w, shape.kernel_w, n, [&](int64_t, Vf v) { total += v; });
      }
      store_lanes(to + ow, total / size, n);
    }
  }

  float edge(const float* from, const WindowSpan& rows, int64_t ow) const {
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
