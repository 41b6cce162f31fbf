// Windows of a pooling, and where their elements lie in either order of an image's elements.
#pragma once

#include "../kernels/window.h"
#include "index.h"
#include "packs.h"

namespace cortado::cuda {

/// Extents, and how many channels lie side by side: all of an image where they are last, otherwise one, of which each
/// is a plane.
struct Pooling : PoolShape {
  int64_t channels = 1;

  Pooling(Prepare& step, const PoolShape& shape) : PoolShape(shape) {
    // A tensor of one pixel is in either order, and does not say.
    for (const Tensor& tensor : {step.in(0), step.out(0), step.out(1), step.out(2)}) {
      if (tensor.channels_last) channels = tensor.dim[1];
    }
  }
};

/// What kernels know of a pooling that take N channels at a time: one, or lanes of those that lie side by side. They
/// count elements by N.
template <class I, int N>
struct WindowsOf {
  using Index = I;
  static constexpr int kEach = N;

  /// One axis of a plane, of the windows along it and of each.
  struct Axis {
    I size, outputs, kernel, stride, pad;
    Divisor<I> by_stride;

    Axis(int64_t size, int64_t outputs, int64_t kernel, int64_t stride, int64_t pad)
        : size(static_cast<I>(size)),
          outputs(static_cast<I>(outputs)),
          kernel(static_cast<I>(kernel)),
          stride(static_cast<I>(stride)),
          pad(static_cast<I>(pad)),
          by_stride(stride) {}
    /// The part of window `output` that lies in the plane.
    __device__ WindowSpanOf<I> span(I output) const { return {output, size, kernel, stride, pad}; }
    /// The first window that covers pixel `at`, and the one behind the last.
    __device__ I first(I at) const {
      const I reach = at + pad;
      return reach < kernel ? 0 : by_stride(reach - kernel) + 1;
    }
    __device__ I end(I at) const {
      const I windows = by_stride(at + pad) + 1;
      return windows < outputs ? windows : outputs;
    }
  };

  Axis rows, columns;
  Grid<I> in, out;

  explicit WindowsOf(const Pooling& s)
      : rows(s.h, s.oh, s.kernel_h, s.stride_h, s.pad_h),
        columns(s.w, s.ow, s.kernel_w, s.stride_w, s.pad_w),
        in(s.h, s.w, s.channels / N),
        out(s.oh, s.ow, s.channels / N) {}

  /// f(element, tap, its row and column in the plane) for those of the window at `cell` that lie there, in row-major
  /// order.
  template <class F>
  __device__ void each_tap(const Cell<I>& cell, const F& f) const {
    const auto vertical = rows.span(cell.row), horizontal = columns.span(cell.column);
    for (I r = vertical.first; r < vertical.last; ++r) {
      const I line = in.at({cell.plane, vertical.start + r, horizontal.start, cell.channel});
      for (I c = horizontal.first; c < horizontal.last; ++c) f(line + c * in.channels, r * columns.kernel + c);
    }
  }
  /// What the sum of a window is divided by.
  __device__ float extent(I row, I column) const {
    return static_cast<float>(rows.span(row).extent * columns.span(column).extent);
  }
};

/// What an index counts to.
inline int64_t most_of(const Pooling& s) {
  const int64_t inputs = s.inputs(), outputs = s.outputs(), reach = s.h + s.w + 2 * s.kernel_h + 2 * s.kernel_w;
  return reach * s.channels + (inputs > outputs ? inputs : outputs);
}

/// f(windows), whose kernels take their elements by for_windows.
template <class F>
void with_windows(const Pooling& shape, const F& f) {
  const int64_t most = most_of(shape);
  if (shape.channels % kLanes == 0 && countable(most)) return f(WindowsOf<int32_t, kLanes>(shape));
  with_index(most, [&](auto index) { f(WindowsOf<decltype(index), 1>(shape)); });
}
/// The kernel k for n elements.
template <class K>
void for_windows(const Launch& launch, int64_t n, const K& k) {
  for_each<typename K::I>(launch, n / K::N, k);
}

/// The maximum of a window whose taps are met in row-major order, and which tap it is: the first one wins, a NaN loses
/// to every number.
template <int N>
struct Best {
  Lanes<N> value;
  int32_t winner[N];

  __device__ explicit Best(int32_t first) {
    for (int j = 0; j < N; ++j) {
      value.v[j] = -HUGE_VALF;
      winner[j] = first;
    }
  }
  __device__ void meet(const Lanes<N>& v, int32_t tap) {
    for (int j = 0; j < N; ++j) {
      if (!(v.v[j] > value.v[j])) continue;
      value.v[j] = v.v[j];
      winner[j] = tap;
    }
  }
};

/// A code of the position within a window, as bytes or, for windows of more than 256 taps, as i32.
struct Codes {
  void* data;
  bool wide;
  explicit Codes(const Tensor& tensor) : data(tensor.data), wide(tensor.dtype == DType::i32) {}

  template <int N>
  struct alignas(N) Bytes {
    uint8_t v[N];
  };
  /// Those of elements [N i, N (i + 1)).
  template <int N>
  __device__ void set(int64_t i, const int32_t (&code)[N]) const {
    if (wide) {
      for (int j = 0; j < N; ++j) static_cast<int32_t*>(data)[N * i + j] = code[j];
    } else {
      Bytes<N> bytes;
      for (int j = 0; j < N; ++j) bytes.v[j] = static_cast<uint8_t>(code[j]);
      static_cast<Bytes<N>*>(data)[i] = bytes;
    }
  }
  template <int N>
  __device__ void get(int64_t i, int32_t (&code)[N]) const {
    if (wide) {
      for (int j = 0; j < N; ++j) code[j] = static_cast<const int32_t*>(data)[N * i + j];
    } else {
      const Bytes<N> bytes = static_cast<const Bytes<N>*>(data)[i];
      for (int j = 0; j < N; ++j) code[j] = bytes.v[j];
    }
  }
};

/// What a pixel gathers of a maximum's gradient where at most four windows cover it: the gradients dy of those that it
/// has won, of kLanes channels or one.
template <class T>
struct FewWindows {
  const T* dy;
  const uint8_t* code;

  static bool suit(const Pooling& s, const Tensor& code) {
    return (s.channels % kLanes == 0 || s.channels == 1) && s.kernel_h <= 2 * s.stride_h &&
           s.kernel_w <= 2 * s.stride_w && code.dtype == DType::u8;
  }

  template <class I, int N>
  __device__ Lanes<N> of(const WindowsOf<I, N>& windows, const Cell<I>& cell) const {
    const auto &rows = windows.rows, &columns = windows.columns;
    const I top = rows.first(cell.row), bottom = rows.end(cell.row);
    const I left = columns.first(cell.column), right = columns.end(cell.column);
    const I first = windows.out.at({cell.plane, top, left, cell.channel});
    bool there[4];
    Packed<T, N> d[4]{};  // on their way together
    Winners<N> winners[4]{};
    CORTADO_UNROLL(4)
    for (int n = 0; n < 4; ++n) {
      there[n] = top + n / 2 < bottom && left + n % 2 < right;
      if (!there[n]) continue;
      const I output = first + (n / 2 * windows.out.columns + n % 2) * windows.out.channels;
      d[n] = packed<N>(dy + output * N);
      winners[n] = reinterpret_cast<const Winners<N>*>(code)[output];
    }
    const I row = cell.row + rows.pad - top * rows.stride, column = cell.column + columns.pad - left * columns.stride;
    Lanes<N> sums{};
    CORTADO_UNROLL(4)
    for (int n = 0; n < 4; ++n) {
      if (!there[n]) continue;
      const I tap = (row - n / 2 * rows.stride) * columns.kernel + column - n % 2 * columns.stride;
      CORTADO_UNROLL(8)
      for (int j = 0; j < N; ++j) {
        if (winners[n].has(j, static_cast<uint32_t>(tap))) sums.v[j] += d[n][j];
      }
    }
    return sums;
  }

 private:
  /// Taps that won.
  template <int N, class = void>
  struct alignas(N) Winners {
    uint32_t word[N / 4];
    __device__ bool has(int j, uint32_t tap) const {
      return ((word[j / 4] ^ tap * 0x01010101u) & 0xffu << j % 4 * 8) == 0;
    }
  };
  template <class Any>
  struct Winners<1, Any> {
    uint8_t tap;
    __device__ bool has(int, uint32_t wanted) const { return tap == wanted; }
  };
};

}  // namespace cortado::cuda
