// Local response normalisation and pooling.
#include "../kernels/window.h"

#include "../kernels/checks.h"
#include "launch.h"
#include "stored.h"
#include "table.h"

namespace cortado::cuda {

namespace {

/// s^-beta and 1 / s.
struct Scaled {
  float power, inverse;
};

__device__ inline Scaled scaled(float s, float beta) {
  if (beta == 0.75f) {
    const float root = 1.0f / sqrtf(s);
    return {root * sqrtf(root), root * root};
  }
  if (beta == 0.5f) {
    const float root = 1.0f / sqrtf(s);
    return {root, root * root};
  }
  return {beta == 1.0f ? 1.0f / s : powf(s, -beta), 1.0f / s};
}

/// Across channels: y = x s^-beta with s = k + alpha / size * (sum of x^2 over `size` channels around x's own), Caffe's
/// lrn_layer.cpp. s is never stored; backward computes it again.
struct LrnChannels {
  int64_t images, channels, pixels, half;
  float factor, k, beta;

  LrnChannels(Prepare& step, const Tensor& x) : half(step.integer("localSize") / 2) {
    step.expect(x.rank >= 2 && holds_numbers(x, x.size()) && x.size() > 0 && half >= 0, "images and a window");
    images = x.dim[0];
    channels = x.dim[1];
    pixels = x.count(2, x.rank);
    factor = static_cast<float>(step.number("alpha") / static_cast<double>(2 * half + 1));
    k = static_cast<float>(step.number("k"));
    beta = static_cast<float>(step.number("beta"));
  }
  /// Sum of f(j) over the elements j of the window around element i.
  template <class F>
  __device__ float over(int64_t i, const F& f) const {
    const int64_t c = i / pixels % channels;
    const int64_t first = c > half ? c - half : 0, last = c + half < channels ? c + half : channels - 1;
    float sum = 0;
    for (int64_t j = first; j <= last; ++j) sum += f(i + (j - c) * pixels);
    return sum;
  }
};

/// Within each channel: s = 1 + alpha / size^2 * (sum of x^2 over the size x size pixels around x's own; pixels outside
/// count as zero). Caffe ignores k here (lrn_layer.cpp, WithinChannelForward).
struct LrnPixels {
  int64_t h, w, half;
  float factor, k, beta;

  LrnPixels(Prepare& step, const Tensor& x) : h(x.dim[2]), w(x.dim[3]), half(step.integer("localSize") / 2), k(1) {
    step.expect(x.rank == 4 && holds_numbers(x, x.size()) && x.size() > 0 && half >= 0, "images and a window");
    const auto size = static_cast<double>(2 * half + 1);
    factor = static_cast<float>(step.number("alpha") / (size * size));
    beta = static_cast<float>(step.number("beta"));
  }
  template <class F>
  __device__ float over(int64_t i, const F& f) const {
    const int64_t row = i / w % h, column = i % w;
    const int64_t top = row > half ? row - half : 0, bottom = row + half < h ? row + half : h - 1;
    const int64_t left = column > half ? column - half : 0, right = column + half < w ? column + half : w - 1;
    float sum = 0;
    for (int64_t r = top; r <= bottom; ++r) {
      for (int64_t c = left; c <= right; ++c) sum += f(i + (r - row) * w + (c - column));
    }
    return sum;
  }
};

/// The square of an element.
template <class T>
struct Square {
  const T* x;
  __device__ float operator()(int64_t i) const {
    const float v = widen(x[i]);
    return v * v;
  }
};

/// s of an element, as s^-beta and 1 / s.
template <class Window, class T>
__device__ Scaled scale_of(const Window& window, const T* x, int64_t i) {
  return scaled(fmaf(window.factor, window.over(i, Square<T>{x}), window.k), window.beta);
}

/// x -> y.
template <class Window>
struct NormalizedOf {
  template <class T, class>
  struct Kernel {
    const T* x;
    T* y;
    int64_t n;
    Window window;

    explicit Kernel(Prepare& step)
        : x(numbers<T>(step.in(0))), y(numbers_to<T>(step.out(0))), n(step.in(0).size()), window(step, step.in(0)) {
      step.expect(holds(step.in(0), n, kType<T>) && holds(step.out(0), n, kType<T>), "tensors of one size");
    }
    void run(const Launch& launch) const { for_each(launch, n, *this); }
    __device__ void operator()(int64_t i) const { y[i] = narrow<T>(widen(x[i]) * scale_of(window, x, i).power); }
  };
};

/// dy, x -> dx = dy s^-beta - 2 factor beta x * (sum of dy x s^(-beta - 1) over the window). Scratch: the sum's terms.
template <class Window>
struct NormalizedGradOf {
  template <class T, class V>
  struct Kernel {
    const T* dy;
    const V* x;
    T* dx;
    float* terms = nullptr;
    int64_t n;
    Window window;

    explicit Kernel(Prepare& step)
        : dy(numbers<T>(step.in(0))),
          x(numbers<V>(step.in(1))),
          dx(numbers_to<T>(step.out(0))),
          n(step.in(1).size()),
          window(step, step.in(1)) {
      step.expect(holds(step.in(0), n, kType<T>) && holds(step.out(0), n, kType<T>), "tensors of one size");
      step.expect(holds(step.in(1), n, kType<V>), "what was normalized");
      step.scratch(static_cast<size_t>(n) * sizeof(float));
    }
    void run(const Launch& launch) const {
      Kernel s = *this;
      s.terms = static_cast<float*>(launch.scratch);
      for_each(launch, n, s);
      for_each(launch, n, Second{s});
    }
    /// This element's part of its neighbours' sums.
    __device__ void operator()(int64_t i) const {
      const Scaled s = scale_of(window, x, i);
      terms[i] = widen(dy[i]) * s.power * widen(x[i]) * s.inverse;
    }

    /// s again, which is sooner computed than fetched.
    struct Second {
      Kernel s;
      __device__ void operator()(int64_t i) const {
        const float direct = widen(s.dy[i]) * scale_of(s.window, s.x, i).power;
        const float slope = -2 * s.window.factor * s.window.beta * widen(s.x[i]);
        s.dx[i] = narrow<T>(direct + slope * s.window.over(i, Term{s.terms}));
      }
    };
    struct Term {
      const float* terms;
      __device__ float operator()(int64_t i) const { return terms[i]; }
    };
  };
};

using Lrn = Stored<NormalizedOf<LrnChannels>::Kernel>;
using LrnGrad = Stored<NormalizedGradOf<LrnChannels>::Kernel>;
using LrnWithin = Stored<NormalizedOf<LrnPixels>::Kernel>;
using LrnWithinGrad = Stored<NormalizedGradOf<LrnPixels>::Kernel>;

/// Rows and columns of a window that lie in the plane.
struct PoolWindow {
  WindowSpan rows, columns;
  __device__ PoolWindow(const PoolShape& s, int64_t oh, int64_t ow)
      : rows(oh, s.h, s.kernel_h, s.stride_h, s.pad_h), columns(ow, s.w, s.kernel_w, s.stride_w, s.pad_w) {}
  __device__ float extent() const { return static_cast<float>(rows.extent * columns.extent); }
};

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

/// x (n, c, h, w) -> y (n, c, oh, ow), mask (index of the maximum in its plane, as float), code (kernel_w * row +
/// column of the tap within the unclipped window): the first in row-major order wins, a NaN loses to every number.
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
        shape(step, step.in(0),
              step.out(0)   ? step.out(0)
              : step.out(1) ? step.out(1)
                            : step.out(2),
              kType<T>) {
    const int64_t outputs = shape.planes * shape.oh * shape.ow;
    const bool bytes = step.out(2).dtype == DType::u8 && shape.kernel_h * shape.kernel_w <= 256;
    step.expect(may_hold(step.out(0), outputs, kType<T>) && may_hold(step.out(1), outputs),
                "a maximum for every window");
    step.expect(may_hold(step.out(2), outputs, bytes ? DType::u8 : DType::i32), "a code for every window");
  }
  void run(const Launch& launch) const { for_each(launch, shape.planes * shape.oh * shape.ow, *this); }
  __device__ void operator()(int64_t i) const {
    const PoolWindow window(shape, i / shape.ow % shape.oh, i % shape.ow);
    const T* plane = x + i / (shape.ow * shape.oh) * shape.h * shape.w;
    float best = -HUGE_VALF;
    int64_t row = window.rows.first, column = window.columns.first;
    for (int64_t r = window.rows.first; r < window.rows.last; ++r) {
      for (int64_t c = window.columns.first; c < window.columns.last; ++c) {
        const float v = widen(plane[(window.rows.start + r) * shape.w + window.columns.start + c]);
        if (!(v > best)) continue;
        best = v;
        row = r, column = c;
      }
    }
    if (y) y[i] = narrow<T>(best);
    if (mask) mask[i] = static_cast<float>((window.rows.start + row) * shape.w + window.columns.start + column);
    if (code.data) code.set(i, row * shape.kernel_w + column);
  }
};
using MaxPool = Stored<MaxPoolOf>;

/// One window for each plane.
template <class S>
struct GlobalMean {
  S s;
  __device__ void operator()(int64_t plane) const {
    const int64_t pixels = s.shape.h * s.shape.w;
    float sum = 0;
    for (int64_t i = threadIdx.x; i < pixels; i += kBlock) sum += widen(s.x[plane * pixels + i]);
    sum = over_block(sum, Add());
    if (threadIdx.x == 0) s.put(plane, sum / static_cast<float>(pixels));
  }
};

/// x (n, c, h, w) -> y (n, c, oh, ow): sums divided by the window's extent in the padded plane.
template <class T, class>
struct AveragePoolOf {
  const T* x;
  T* y;
  PoolShape shape;

  explicit AveragePoolOf(Prepare& step)
      : x(numbers<T>(step.in(0))), y(numbers_to<T>(step.out(0))), shape(step, step.in(0), step.out(0), kType<T>) {
    step.expect(holds(step.out(0), shape.planes * shape.oh * shape.ow, kType<T>), "a mean for every window");
  }
  void run(const Launch& launch) const {
    if (shape.global()) return for_blocks(launch, shape.planes, GlobalMean<AveragePoolOf>{*this});
    for_each(launch, shape.planes * shape.oh * shape.ow, *this);
  }
  __device__ void operator()(int64_t i) const {
    const PoolWindow window(shape, i / shape.ow % shape.oh, i % shape.ow);
    const T* plane = x + i / (shape.ow * shape.oh) * shape.h * shape.w;
    float sum = 0;
    for (int64_t r = window.rows.first; r < window.rows.last; ++r) {
      const T* row = plane + (window.rows.start + r) * shape.w + window.columns.start;
      for (int64_t c = window.columns.first; c < window.columns.last; ++c) sum += widen(row[c]);
    }
    put(i, sum / window.extent());
  }
  __device__ void put(int64_t i, float mean) const { y[i] = narrow<T>(mean); }
};
using AveragePool = Stored<AveragePoolOf>;

/// The outputs along one axis whose windows cover pixel `at`.
struct Covering {
  int64_t first, end;
  __device__ Covering(int64_t at, int64_t outputs, int64_t kernel, int64_t stride, int64_t pad) {
    const int64_t reach = at + pad;
    first = reach < kernel ? 0 : (reach - kernel) / stride + 1;
    end = reach / stride + 1 < outputs ? reach / stride + 1 : outputs;
  }
};

/// The gradient of a pooling: dx gathers from the outputs whose windows cover it, F(index of the output, row and column
/// of the tap, window) each.
template <class F>
__device__ float gather(const PoolShape& s, int64_t i, const F& f) {
  const int64_t h = i / s.w % s.h, w = i % s.w, plane = i / (s.w * s.h) * s.oh;
  const Covering rows(h, s.oh, s.kernel_h, s.stride_h, s.pad_h), columns(w, s.ow, s.kernel_w, s.stride_w, s.pad_w);
  float sum = 0;
  for (int64_t oh = rows.first; oh < rows.end; ++oh) {
    for (int64_t ow = columns.first; ow < columns.end; ++ow) {
      const int64_t row = h + s.pad_h - oh * s.stride_h, column = w + s.pad_w - ow * s.stride_w;
      sum += f((plane + oh) * s.ow + ow, row * s.kernel_w + column, PoolWindow(s, oh, ow));
    }
  }
  return sum;
}

/// dy, code (n, c, oh, ow) -> dx (n, c, h, w).
template <class T, class>
struct MaxPoolGradOf {
  const T* dy;
  Codes code;
  T* dx;
  PoolShape shape;

  explicit MaxPoolGradOf(Prepare& step)
      : dy(numbers<T>(step.in(0))),
        code(step.in(1)),
        dx(numbers_to<T>(step.out(0))),
        shape(step, step.out(0), step.in(0), kType<T>) {
    const Tensor codes = step.in(1);
    step.expect(step.out(0) && holds(step.in(0), step.in(0).size(), kType<T>),
                "images and the gradient of their windows");
    step.expect(codes.dtype != DType::f32 && holds(codes, step.in(0).size(), codes.dtype), "a code for every window");
  }
  void run(const Launch& launch) const { for_each(launch, shape.planes * shape.h * shape.w, *this); }
  __device__ void operator()(int64_t i) const { dx[i] = narrow<T>(gather(shape, i, Share{dy, code})); }

  struct Share {
    const T* dy;
    Codes code;
    __device__ float operator()(int64_t output, int64_t tap, const PoolWindow&) const {
      return code.get(output) == tap ? widen(dy[output]) : 0.0f;
    }
  };
};
using MaxPoolGrad = Stored<MaxPoolGradOf>;

/// dy -> dx.
template <class T, class>
struct AveragePoolGradOf {
  const T* dy;
  T* dx;
  PoolShape shape;

  explicit AveragePoolGradOf(Prepare& step)
      : dy(numbers<T>(step.in(0))), dx(numbers_to<T>(step.out(0))), shape(step, step.out(0), step.in(0), kType<T>) {
    step.expect(step.out(0) && holds(step.in(0), step.in(0).size(), kType<T>),
                "images and the gradient of their windows");
  }
  void run(const Launch& launch) const { for_each(launch, shape.planes * shape.h * shape.w, *this); }
  __device__ void operator()(int64_t i) const { dx[i] = narrow<T>(gather(shape, i, Share{dy})); }

  struct Share {
    const T* dy;
    __device__ float operator()(int64_t output, int64_t, const PoolWindow& window) const {
      return widen(dy[output]) / window.extent();
    }
  };
};
using AveragePoolGrad = Stored<AveragePoolGradOf>;

}  // namespace

CORTADO_WINDOW_KERNELS(CORTADO_DEFINE_KERNEL)

}  // namespace cortado::cuda
