// How pooling reads its windows: tap c of kLanes windows that begin `stride` apart in a row, in one vector.
#pragma once

#include "../kernels/window.h"
#include "simd.h"

namespace cortado::CORTADO_ISA {

/// n windows that begin `stride` apart, `width` taps wide; `room` columns of the plane are left from the first tap of
/// the first on. Taps beyond them read as `outside`.
struct Windows {
  int64_t n, stride, width, room;
  Vf outside;

  /// Whether every tap is a whole vector of the plane; the same windows with numbers that say so at compile time.
  CORTADO_INLINE bool whole() const { return n == kLanes && room >= (kLanes - 1) * stride + width; }
  CORTADO_INLINE Windows as_whole() const { return {kLanes, stride, width, int64_t{1} << 32, outside}; }
};

/// A row of a plane from some column on.
struct RowOf {
  const float* x;
  /// The first `lanes` of the vector at `at`; the others are those of `rest`.
  CORTADO_INLINE Vf part(int64_t at, int64_t lanes, Vf rest) const {
    return lanes == kLanes ? load(x + at) : load_part(x + at, lanes, rest);
  }
  CORTADO_INLINE Vf spread(Vi at) const { return gather(x, at); }
};

/// Some rows of a plane, joined column by column: what needs no codes looks at each column once. Rows: how many, where
/// the compiler knows.
template <int Rows, class Join>
struct RowsOf {
  const float* x;
  int64_t rows, pitch;
  Vf start;
  Join join;
  CORTADO_INLINE Vf part(int64_t at, int64_t lanes, Vf rest) const {
    if (lanes == kLanes) return over([&](const float* row) __attribute__((always_inline)) { return load(row + at); });
    const Vf all = over([&](const float* row) __attribute__((always_inline)) { return load_part(row + at, lanes); });
    return select(first_lanes(lanes), all, rest);
  }
  CORTADO_INLINE Vf spread(Vi at) const {
    return over([&](const float* row) __attribute__((always_inline)) { return gather(row, at); });
  }

 private:
  template <class F>
  CORTADO_INLINE Vf over(const F& from) const {
    Vf all = start;
    if constexpr (Rows > 0) {
#pragma GCC unroll 3
      for (int64_t r = 0; r < Rows; ++r) all = join(from(x + r * pitch), all);
    } else {
      for (int64_t r = 0; r < rows; ++r) all = join(from(x + r * pitch), all);
    }
    return all;
  }
};

/// The same row of two windows that lie above each other, of a plane no wider than a vector: a vector each.
template <class Row>
struct Both {
  Row upper, lower;
};

/// Calls some columns of rows from `at` on to the second-level cache: column by column down a plane, nobody would
/// foresee what is read and written next.
CORTADO_INLINE void call(const float* at, int64_t rows, int64_t pitch, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r, at += pitch) {
    for (int64_t c = 0; c < columns; c += 16) __builtin_prefetch(at + c, 0, 2);
  }
}

/// n, as a number of lanes.
CORTADO_INLINE int64_t as_lanes(int64_t n) { return n < 0 ? 0 : n < kLanes ? n : kLanes; }

template <int Stride, int... I>
CORTADO_INLINE Vf every(Vf a, Vf b, Lanes<I...>) {
  return shuffle<(Stride * I < kLanes ? Stride * I : Stride * I + 1)...>(a, b);
}

/// row[at], row[at + stride], ... of n windows; reads nothing beyond the last of them. Stride 0: any other.
template <int Stride, class Row>
CORTADO_INLINE Vf load_strided(const Row& row, int64_t at, const Windows& windows) {
  const int64_t left = windows.room - at;
  if constexpr (Stride == 1) {
    return row.part(at, as_lanes(windows.n < left ? windows.n : left), windows.outside);
  } else if constexpr (Stride == 2) {
    // The second vector overlaps the first by one element, so that it ends where the last lane's does.
    const int64_t wanted = 2 * windows.n - 1, reach = wanted < left ? wanted : left;
    const Vf a = row.part(at, as_lanes(reach), windows.outside);
    return every<2>(a, row.part(at + kLanes - 1, as_lanes(reach - kLanes + 1), windows.outside), AllLanes{});
  } else {
    if (left <= 0) return windows.outside;
    const int64_t inside = (left - 1) / windows.stride + 1, n = windows.n < inside ? windows.n : inside;
    const Vi last = splat(static_cast<int32_t>(n - 1)), step = splat(static_cast<int32_t>(windows.stride));
    const Vf v = row.spread(min(iota(), last) * step + static_cast<int32_t>(at));
    return select(iota() > last, windows.outside, v);
  }
}

/// row[0], row[2] ..., row[1], row[3] ... and row[2], row[4] ...: the two or three taps of n windows, from half the
/// loads.
template <int Width, class Row, int... I>
CORTADO_INLINE void load_pairs(const Row& row, const Windows& windows, Vf (&tap)[Width], Lanes<I...>) {
  const int64_t wanted = 2 * windows.n + Width - 2, reach = wanted < windows.room ? wanted : windows.room;
  const Vf a = row.part(0, as_lanes(reach), windows.outside);
  const Vf b = row.part(kLanes, as_lanes(reach - kLanes), windows.outside);
  tap[0] = every_second<0>(a, b, AllLanes{});
  tap[1] = every_second<1>(a, b, AllLanes{});
  if constexpr (Width == 3) {
    // Its last lane is row[2 kLanes].
    const Vf last = row.part(kLanes + 1, reach > 2 * kLanes ? kLanes : 0, windows.outside);
    tap[2] = shuffle<(I + 1 < kLanes ? I + 1 : 2 * kLanes - 1)...>(tap[0], last);
  }
}

/// The same for the windows of two rows, a half vector each.
template <class Row, int... I>
CORTADO_INLINE void load_pairs(const Both<Row>& row, const Windows& windows, Vf (&tap)[3], Lanes<I...>) {
  const int64_t reach = as_lanes(windows.room);
  const Vf a = row.upper.part(0, reach, windows.outside), b = row.lower.part(0, reach, windows.outside);
  tap[0] = every_second<0>(a, b, AllLanes{});
  tap[1] = every_second<1>(a, b, AllLanes{});
  tap[2] = shuffle<((I + 1) % (kLanes / 2) ? I + 1 : kLanes + I)...>(tap[0], windows.outside);
}

/// f(column, numbers) for the taps of some windows of a row.
template <int Stride, int Width, class Row, class F>
CORTADO_INLINE void each_tap(const Row& row, const Windows& windows, const F& f) {
  if constexpr (Stride == 2 && (Width == 2 || Width == 3)) {
    Vf tap[Width];
    load_pairs(row, windows, tap, AllLanes{});
#pragma GCC unroll 3
    for (int c = 0; c < Width; ++c) f(c, tap[c]);
  } else {
    const int width = Width > 0 ? Width : static_cast<int>(windows.width);
#pragma GCC unroll 3
    for (int c = 0; c < width; ++c) f(c, load_strided<Stride>(row, c, windows));
  }
}

/// The first column of the output whose window begins inside the plane's columns.
CORTADO_INLINE int64_t first_inside(const PoolShape& s) {
  const int64_t first = (s.pad_w + s.stride_w - 1) / s.stride_w;
  return first < s.ow ? first : s.ow;
}

/// f(first, last, next) for bands of output rows whose part of the plane stays in the first-level cache, in the order
/// of memory; `next` is the distance of what the next band reads.
template <class F>
CORTADO_INLINE void each_band(const PoolShape& s, const F& f) {
  constexpr int64_t kNumbers = 1024;
  const int64_t most = kNumbers / (s.w * s.stride_h), bands = most > 1 ? (s.oh + most - 1) / most : s.oh;
  for (int64_t i = 0; i < bands; ++i) {
    const int64_t first = s.oh * i / bands, last = s.oh * (i + 1) / bands;
    f(first, last, bands > 1 ? (last - first) * s.stride_h * s.w : s.h * s.w);
  }
}

/// f(ow) for the outputs whose windows begin inside, at most kLanes columns from ow on. The last ones begin early, if
/// there are enough, rather than to be fewer.
template <class F>
CORTADO_INLINE void each_columns(const PoolShape& s, const F& f) {
  const int64_t first = first_inside(s), early = s.ow - first < kLanes ? first : s.ow - kLanes;
  for (int64_t ow = first; ow < s.ow; ow += kLanes) f(ow < early ? ow : early);
}

/// The windows of at most kLanes outputs from ow on, which all begin inside.
CORTADO_INLINE Windows windows_of(const PoolShape& s, int64_t ow, float outside) {
  return {s.ow - ow < kLanes ? s.ow - ow : kLanes, s.stride_w, s.kernel_w, s.w + s.pad_w - ow * s.stride_w,
          splat(outside)};
}
/// f(windows), told apart where all taps are whole vectors: then the compiler knows.
template <int Width, class F>
CORTADO_INLINE void with_windows(const Windows& windows, const F& f) {
  if (Width > 0 && windows.whole()) return f(windows.as_whole());
  f(windows);
}

/// Whether a vector holds a row of the plane, and two of the output.
template <int Stride, int Width>
CORTADO_INLINE bool two_fit(const PoolShape& s) {
  return Stride == 2 && Width == 3 && s.pad_w == 0 && s.w <= kLanes && 2 * s.ow <= kLanes;
}
/// Stores two rows of n outputs, a half vector each.
CORTADO_INLINE void store_two(float* to, Vf two, int64_t n) {
  store_part(to, two, n);
  store_part(to + n, rotate<kLanes / 2>(two, AllLanes{}), n);
}

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

}  // namespace cortado::CORTADO_ISA
