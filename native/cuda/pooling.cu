// Pooling.
#include "../kernels/window.h"

#include "index.h"
#include "stored.h"
#include "table.h"

namespace cortado::cuda {

namespace {

/// What kernels know of a pooling.
template <class I>
struct Windows {
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

  explicit Windows(const PoolShape& s)
      : rows(s.h, s.oh, s.kernel_h, s.stride_h, s.pad_h),
        columns(s.w, s.ow, s.kernel_w, s.stride_w, s.pad_w),
        in(s.h, s.w),
        out(s.oh, s.ow) {}
};

/// What an index counts to.
int64_t most_of(const PoolShape& s) {
  const int64_t inputs = s.inputs(), outputs = s.outputs(), reach = s.h + s.w + 2 * s.kernel_h + 2 * s.kernel_w;
  return reach + (inputs > outputs ? inputs : outputs);
}

/// A code of the position within a window, as bytes or, for windows of more than 256 taps, as i32.
struct Codes {
  void* data;
  bool wide;
  explicit Codes(const Tensor& tensor) : data(tensor.data), wide(tensor.dtype == DType::i32) {}
  __device__ void set(int64_t i, int64_t code) const {
    if (wide) {
      static_cast<int32_t*>(data)[i] = static_cast<int32_t>(code);
    } else {
      static_cast<uint8_t*>(data)[i] = static_cast<uint8_t>(code);
    }
  }
  __device__ int64_t get(int64_t i) const {
    return wide ? static_cast<const int32_t*>(data)[i] : static_cast<const uint8_t*>(data)[i];
  }
};

/// A maximum and where it is: the first in row-major order wins, a NaN loses to every number.
template <class T, class I>
struct Largest {
  const T* x;
  T* y;
  float* mask;
  Codes code;
  Windows<I> windows;

  __device__ void operator()(I i) const {
    const Cell<I> cell = windows.out.cell(i);
    const auto rows = windows.rows.span(cell.row), columns = windows.columns.span(cell.column);
    const I w = windows.columns.size;
    const T* plane = x + cell.plane * windows.rows.size * w;
    float best = -HUGE_VALF;
    I row = rows.first, column = columns.first;
    for (I r = rows.first; r < rows.last; ++r) {
      const T* line = plane + (rows.start + r) * w + columns.start;
      for (I c = columns.first; c < columns.last; ++c) {
        const float v = widen(line[c]);
        if (!(v > best)) continue;
        best = v;
        row = r, column = c;
      }
    }
    if (y) y[i] = narrow<T>(best);
    if (mask) mask[i] = static_cast<float>((rows.start + row) * w + columns.start + column);
    if (code.data) code.set(i, row * windows.columns.kernel + column);
  }
};

/// x (n, c, h, w) -> y (n, c, oh, ow), mask (index of the maximum in its plane, as float), code (kernel_w * row +
/// column of the tap within the unclipped window).
template <class T, class>
struct MaxPoolOf {
  const T* x;
  T* y;
  float* mask;
  Codes code;
  PoolShape shape;

  explicit MaxPoolOf(Prepare& step)
      : x(numbers<T>(step.in(0))),
        y(numbers_to<T>(step.out(0))),
        mask(step.out(1).f32()),
        code(step.out(2)),
        shape(PoolShape::of_max(step, kType<T>)) {}
  void run(const Launch& launch) const {
    with_index(most_of(shape), [&](auto index) {
      using I = decltype(index);
      for_each<I>(launch, shape.outputs(), Largest<T, I>{x, y, mask, code, Windows<I>(shape)});
    });
  }
};
using MaxPool = Stored<MaxPoolOf>;

/// One window for each plane.
template <class T>
struct GlobalMean {
  const T* x;
  T* y;
  int64_t pixels;
  __device__ void operator()(int64_t plane) const {
    float sum = 0;
    for (int64_t i = threadIdx.x; i < pixels; i += kBlock) sum += widen(x[plane * pixels + i]);
    sum = over_block(sum, Add());
    if (threadIdx.x == 0) y[plane] = narrow<T>(sum / static_cast<float>(pixels));
  }
};

template <class T, class I>
struct Mean {
  const T* x;
  T* y;
  Windows<I> windows;

  __device__ void operator()(I i) const {
    const Cell<I> cell = windows.out.cell(i);
    const auto rows = windows.rows.span(cell.row), columns = windows.columns.span(cell.column);
    const I w = windows.columns.size;
    const T* plane = x + cell.plane * windows.rows.size * w;
    float sum = 0;
    for (I r = rows.first; r < rows.last; ++r) {
      const T* line = plane + (rows.start + r) * w + columns.start;
      for (I c = columns.first; c < columns.last; ++c) sum += widen(line[c]);
    }
    y[i] = narrow<T>(sum / static_cast<float>(rows.extent * columns.extent));
  }
};

/// x (n, c, h, w) -> y (n, c, oh, ow): sums divided by the window's extent in the padded plane.
template <class T, class>
struct AveragePoolOf {
  const T* x;
  T* y;
  PoolShape shape;

  explicit AveragePoolOf(Prepare& step)
      : x(numbers<T>(step.in(0))), y(numbers_to<T>(step.out(0))), shape(PoolShape::of_average(step, kType<T>)) {}
  void run(const Launch& launch) const {
    if (shape.global()) return for_blocks(launch, shape.planes, GlobalMean<T>{x, y, shape.h * shape.w});
    with_index(most_of(shape), [&](auto index) {
      using I = decltype(index);
      for_each<I>(launch, shape.outputs(), Mean<T, I>{x, y, Windows<I>(shape)});
    });
  }
};
using AveragePool = Stored<AveragePoolOf>;

/// The gradient of a pooling: every pixel gathers from the outputs whose windows cover it share(output, row and column
/// of the tap, windows' rows and columns).
template <class T, class I, class Share>
struct Gather {
  T* dx;
  Windows<I> windows;
  Share share;

  __device__ void operator()(I i) const {
    const auto &rows = windows.rows, &columns = windows.columns;
    const Cell<I> cell = windows.in.cell(i);
    const I first = columns.first(cell.column), last = columns.end(cell.column), bottom = rows.end(cell.row);
    float sum = 0;
    for (I oh = rows.first(cell.row); oh < bottom; ++oh) {
      const I line = (cell.plane * rows.outputs + oh) * columns.outputs;
      const I tap = (cell.row + rows.pad - oh * rows.stride) * columns.kernel + cell.column + columns.pad;
      for (I ow = first; ow < last; ++ow) sum += share(windows, line + ow, tap - ow * columns.stride, oh, ow);
    }
    dx[i] = narrow<T>(sum);
  }
};

/// Of a maximum, all to the tap that has it.
template <class T>
struct ShareOfMax {
  const T* dy;
  Codes code;
  template <class I>
  __device__ float operator()(const Windows<I>&, I output, I tap, I, I) const {
    return code.get(output) == tap ? widen(dy[output]) : 0.0f;
  }
};

/// Of a mean, to every tap as much.
template <class T>
struct ShareOfMean {
  const T* dy;
  template <class I>
  __device__ float operator()(const Windows<I>& windows, I output, I, I oh, I ow) const {
    return widen(dy[output]) / static_cast<float>(windows.rows.span(oh).extent * windows.columns.span(ow).extent);
  }
};

template <class T, class Share>
void gather(const Launch& launch, const PoolShape& shape, T* dx, const Share& share) {
  with_index(most_of(shape), [&](auto index) {
    using I = decltype(index);
    for_each<I>(launch, shape.inputs(), Gather<T, I, Share>{dx, Windows<I>(shape), share});
  });
}

/// dy, code (n, c, oh, ow) -> dx (n, c, h, w).
template <class T, class>
struct MaxPoolGradOf {
  ShareOfMax<T> share;
  T* dx;
  PoolShape shape;

  explicit MaxPoolGradOf(Prepare& step)
      : share{numbers<T>(step.in(0)), Codes(step.in(1))},
        dx(numbers_to<T>(step.out(0))),
        shape(PoolShape::of_max_gradient(step, kType<T>)) {}
  void run(const Launch& launch) const { gather(launch, shape, dx, share); }
};
using MaxPoolGrad = Stored<MaxPoolGradOf>;

/// dy -> dx.
template <class T, class>
struct AveragePoolGradOf {
  ShareOfMean<T> share;
  T* dx;
  PoolShape shape;

  explicit AveragePoolGradOf(Prepare& step)
      : share{numbers<T>(step.in(0))}, dx(numbers_to<T>(step.out(0))), shape(PoolShape::of_gradient(step, kType<T>)) {}
  void run(const Launch& launch) const { gather(launch, shape, dx, share); }
};
using AveragePoolGrad = Stored<AveragePoolGradOf>;

}  // namespace

CORTADO_POOL_KERNELS(CORTADO_DEFINE_KERNEL)

}  // namespace cortado::cuda
