// Local response normalisation and pooling.
#include "../kernels/window.h"

#include "../kernels/checks.h"
#include "packs.h"
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
  int64_t channels, stride, half;
  float factor, k, beta;
  bool together;  // eight channels of a pixel lie side by side, and neighbours no further off than the next eight

  LrnChannels(Prepare& step, const Tensor& x) : half(step.integer("localSize") / 2) {
    step.expect(x.rank >= 2 && holds_numbers(x, x.size()) && x.size() > 0 && half >= 0, "images and a window");
    channels = x.dim[1];
    stride = x.channels_last ? 1 : x.count(2, x.rank);
    together = stride == 1 && channels % kLanes == 0 && half <= Around::kFurthest;
    factor = static_cast<float>(step.number("alpha") / static_cast<double>(2 * half + 1));
    k = static_cast<float>(step.number("k"));
    beta = static_cast<float>(step.number("beta"));
  }
  /// Sum of f(j) over the elements j of the window around element i.
  template <class F>
  __device__ float over(int64_t i, const F& f) const {
    const int64_t c = i / stride % channels;
    const int64_t first = c > half ? c - half : 0, last = c + half < channels ? c + half : channels - 1;
    float sum = 0;
    for (int64_t j = first; j <= last; ++j) sum += f(i + (j - c) * stride);
    return sum;
  }

  /// Eight channels of a pixel with the eight on either side, or zeros beyond the first and the last.
  struct Around {
    static constexpr int kFurthest = 4, kFirst = kLanes, kSize = 3 * kLanes;
    float v[kSize];

    template <class T>
    __device__ Around(const T* x, int64_t i, int64_t channels) {
      const int64_t own = i * kLanes % channels;
      for (int part = 0; part < 3; ++part) {
        const int64_t c = own + (part - 1) * kLanes;
        const Lanes<kLanes> lanes =
            c >= 0 && c < channels ? load_lanes<kLanes>(x + (i + part - 1) * kLanes) : Lanes<kLanes>{};
        for (int j = 0; j < kLanes; ++j) v[part * kLanes + j] = lanes.v[j];
      }
    }
    /// Sum of f(j) over the window around element c.
    template <class F>
    static __device__ float over(int c, int64_t half, const F& f) {
      float sum = 0;
      for (int d = -kFurthest; d <= kFurthest; ++d) {
        if (d >= -half && d <= half) sum += f(c + d);
      }
      return sum;
    }
  };
  __device__ Scaled scale_of(const Around& x, int c) const {
    return scaled(fmaf(factor, Around::over(c, half, [&x](int j) { return x.v[j] * x.v[j]; }), k), beta);
  }
};

/// Within each channel: s = 1 + alpha / size^2 * (sum of x^2 over the size x size pixels around x's own; pixels outside
/// count as zero). Caffe ignores k here (lrn_layer.cpp, WithinChannelForward).
struct LrnPixels {
  int64_t h, w, stride, half;
  float factor, k, beta;

  LrnPixels(Prepare& step, const Tensor& x)
      : h(x.dim[2]), w(x.dim[3]), stride(x.channels_last ? x.dim[1] : 1), half(step.integer("localSize") / 2), k(1) {
    step.expect(x.rank == 4 && holds_numbers(x, x.size()) && x.size() > 0 && half >= 0, "images and a window");
    const auto size = static_cast<double>(2 * half + 1);
    factor = static_cast<float>(step.number("alpha") / (size * size));
    beta = static_cast<float>(step.number("beta"));
  }
  template <class F>
  __device__ float over(int64_t i, const F& f) const {
    const int64_t row = i / (stride * w) % h, column = i / stride % w;
    const int64_t top = row > half ? row - half : 0, bottom = row + half < h ? row + half : h - 1;
    const int64_t left = column > half ? column - half : 0, right = column + half < w ? column + half : w - 1;
    float sum = 0;
    for (int64_t r = top; r <= bottom; ++r) {
      for (int64_t c = left; c <= right; ++c) sum += f(i + ((r - row) * w + (c - column)) * stride);
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

/// Whether a window can be had from what is around eight numbers.
template <class Window>
constexpr bool kAround = requires { typename Window::Around; };

/// x -> y.
template <class Window>
struct NormalizedOf {
  template <class T, class>
  struct Kernel : TakesAlike {
    const T* x;
    T* y;
    int64_t n;
    Window window;

    explicit Kernel(Prepare& step)
        : x(numbers<T>(step.in(0))), y(numbers_to<T>(step.out(0))), n(step.in(0).size()), window(step, step.in(0)) {
      step.expect(holds(step.in(0), n, kType<T>) && holds(step.out(0), n, kType<T>), "tensors of one size");
    }
    void run(const Launch& launch) const {
      if constexpr (kAround<Window>) {
        if (window.together) return for_each(launch, n / kLanes, Together{*this});
      }
      for_each(launch, n, *this);
    }
    __device__ void operator()(int64_t i) const { y[i] = narrow<T>(widen(x[i]) * scale_of(window, x, i).power); }

    struct Together {
      Kernel s;
      __device__ void operator()(int64_t i) const {
        const typename Window::Around x(s.x, i, s.window.channels);
        Lanes<kLanes> y;
        for (int j = 0; j < kLanes; ++j) y.v[j] = x.v[x.kFirst + j] * s.window.scale_of(x, x.kFirst + j).power;
        store_lanes<kLanes>(s.y + i * kLanes, y);
      }
    };
  };
};

/// dy, x -> dx = dy s^-beta - 2 factor beta x * (sum of dy x s^(-beta - 1) over the window). Scratch: the sum's terms,
/// unless they are computed again by each thread that adds them.
template <class Window>
struct NormalizedGradOf {
  template <class T, class V>
  struct Kernel : TakesAlike {
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
      if constexpr (kAround<Window>) {
        if (window.together) return;
      }
      step.scratch(static_cast<size_t>(n) * sizeof(float));
    }
    void run(const Launch& launch) const {
      if constexpr (kAround<Window>) {
        if (window.together) return for_each(launch, n / kLanes, Together{*this});
      }
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

    struct Together {
      Kernel s;
      __device__ void operator()(int64_t i) const {
        using Around = typename Window::Around;
        const Window& window = s.window;
        const Around x(s.x, i, window.channels), dy(s.dy, i, window.channels);
        const int64_t before = Around::kFirst - i * kLanes % window.channels;  // where the first channel would be
        float terms[Around::kSize] = {};
        Lanes<kLanes> dx;
        for (int c = Around::kFirst - Around::kFurthest; c < Around::kFirst + kLanes + Around::kFurthest; ++c) {
          if (c < before || c >= before + window.channels) continue;
          const Scaled scale = window.scale_of(x, c);
          terms[c] = dy.v[c] * scale.power * x.v[c] * scale.inverse;
          if (c >= Around::kFirst && c < Around::kFirst + kLanes) dx.v[c - Around::kFirst] = dy.v[c] * scale.power;
        }
        for (int j = 0; j < kLanes; ++j) {
          const float slope = -2 * window.factor * window.beta * x.v[Around::kFirst + j];
          dx.v[j] += slope * Around::over(Around::kFirst + j, window.half, [&terms](int c) { return terms[c]; });
        }
        store_lanes<kLanes>(s.dx + i * kLanes, dx);
      }
    };
  };
};

using Lrn = Stored<NormalizedOf<LrnChannels>::Kernel>;
using LrnGrad = Stored<NormalizedGradOf<LrnChannels>::Kernel>;
using LrnWithin = Stored<NormalizedOf<LrnPixels>::Kernel>;
using LrnWithinGrad = Stored<NormalizedGradOf<LrnPixels>::Kernel>;

/// Extents of a pooling step whose tensors are (planes, pixels, channels), with the channels that lie side by side: all
/// of an image where they are last; one, of which each is a plane, where they are first.
struct Pooling : PoolShape {
  int64_t channels;

  Pooling(Prepare& step, const Tensor& x, const Tensor& y, DType dtype)
      : PoolShape(step, x, y, dtype), channels(x.channels_last || y.channels_last ? x.dim[1] : 1) {
    planes /= channels;
  }
  /// Whether channels are taken eight at a time.
  bool whole() const { return channels % kLanes == 0; }
  int64_t inputs() const { return planes * h * w * channels; }
  int64_t outputs() const { return planes * oh * ow * channels; }
};

/// Where an element is in a tensor (planes, height, width, channels).
struct Place {
  int64_t plane, row, column, channel;
  __device__ Place(int64_t element, int64_t height, int64_t width, int64_t channels)
      : plane(element / (channels * width * height)),
        row(element / (channels * width) % height),
        column(element / channels % width),
        channel(element % channels) {}
};

/// Rows and columns of a window that lie in the plane.
struct PoolWindow {
  WindowSpan rows, columns;
  __device__ PoolWindow(const PoolShape& s, int64_t oh, int64_t ow)
      : rows(oh, s.h, s.kernel_h, s.stride_h, s.pad_h), columns(ow, s.w, s.kernel_w, s.stride_w, s.pad_w) {}
  __device__ float extent() const { return static_cast<float>(rows.extent * columns.extent); }
  /// f(row and column of the tap, element) for each tap of the window around `at` that lies in the plane: the element
  /// of the first channel there.
  template <class F>
  __device__ void each(const Pooling& s, const Place& at, const F& f) const {
    for (int64_t r = rows.first; r < rows.last; ++r) {
      const int64_t row = (at.plane * s.h + rows.start + r) * s.w + columns.start;
      for (int64_t c = columns.first; c < columns.last; ++c) f(r, c, (row + c) * s.channels + at.channel);
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
  template <int N>
  __device__ void set(int64_t first, const int32_t (&code)[N]) const {
    if (wide) {
      for (int j = 0; j < N; ++j) static_cast<int32_t*>(data)[first + j] = code[j];
    } else {
      Bytes<N> bytes;
      for (int j = 0; j < N; ++j) bytes.v[j] = static_cast<uint8_t>(code[j]);
      static_cast<Bytes<N>*>(data)[first / N] = bytes;
    }
  }
  template <int N>
  __device__ void get(int64_t first, int32_t (&code)[N]) const {
    if (wide) {
      for (int j = 0; j < N; ++j) code[j] = static_cast<const int32_t*>(data)[first + j];
    } else {
      const Bytes<N> bytes = static_cast<const Bytes<N>*>(data)[first / N];
      for (int j = 0; j < N; ++j) code[j] = bytes.v[j];
    }
  }
};

/// x (n, c, h, w) -> y (n, c, oh, ow), mask (index of the maximum in its plane, as float), code (kernel_w * row +
/// column of the tap within the unclipped window): the first in row-major order wins, a NaN loses to every number.
template <class T, class>
struct MaxPoolOf : TakesAlike {
  const T* x;
  T* y;
  float* mask;
  Codes code;
  Pooling shape;

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
    const int64_t outputs = shape.outputs();
    const bool bytes = step.out(2).dtype == DType::u8 && shape.kernel_h * shape.kernel_w <= 256;
    step.expect(may_hold(step.out(0), outputs, kType<T>) && may_hold(step.out(1), outputs),
                "a maximum for every window");
    step.expect(may_hold(step.out(2), outputs, bytes ? DType::u8 : DType::i32), "a code for every window");
  }
  void run(const Launch& launch) const { for_lanes(launch, shape.outputs(), shape.whole(), *this); }

  template <int N>
  __device__ void at(int64_t i) const {
    const Place place(i * N, shape.oh, shape.ow, shape.channels);
    const PoolWindow window(shape, place.row, place.column);
    const auto tap = [this](int64_t row, int64_t column) {
      return static_cast<int32_t>(row * shape.kernel_w + column);
    };
    Lanes<N> best;
    int32_t winner[N];
    for (int j = 0; j < N; ++j) {
      best.v[j] = -HUGE_VALF;
      winner[j] = tap(window.rows.first, window.columns.first);
    }
    window.each(shape, place, [&](int64_t row, int64_t column, int64_t element) {
      const Lanes<N> v = load_lanes<N>(x + element);
      for (int j = 0; j < N; ++j) {
        if (!(v.v[j] > best.v[j])) continue;
        best.v[j] = v.v[j];
        winner[j] = tap(row, column);
      }
    });
    if (y) store_lanes<N>(y + i * N, best);
    if (mask) store_lanes<N>(mask + i * N, pixels<N>(window, winner));
    if (code.data) code.set<N>(i * N, winner);
  }

 private:
  template <int N>
  __device__ Lanes<N> pixels(const PoolWindow& window, const int32_t (&winner)[N]) const {
    Lanes<N> pixel;
    for (int j = 0; j < N; ++j) {
      const int64_t row = winner[j] / shape.kernel_w, column = winner[j] % shape.kernel_w;
      pixel.v[j] = static_cast<float>((window.rows.start + row) * shape.w + window.columns.start + column);
    }
    return pixel;
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
    if (threadIdx.x == 0) s.y[plane] = narrow<typename S::Number>(sum / static_cast<float>(pixels));
  }
};

/// x (n, c, h, w) -> y (n, c, oh, ow): sums divided by the window's extent in the padded plane.
template <class T, class>
struct AveragePoolOf : TakesAlike {
  using Number = T;
  const T* x;
  T* y;
  Pooling shape;

  explicit AveragePoolOf(Prepare& step)
      : x(numbers<T>(step.in(0))), y(numbers_to<T>(step.out(0))), shape(step, step.in(0), step.out(0), kType<T>) {
    step.expect(holds(step.out(0), shape.outputs(), kType<T>), "a mean for every window");
  }
  void run(const Launch& launch) const {
    if (shape.global() && shape.channels == 1)
      return for_blocks(launch, shape.planes, GlobalMean<AveragePoolOf>{*this});
    for_lanes(launch, shape.outputs(), shape.whole(), *this);
  }
  template <int N>
  __device__ void at(int64_t i) const {
    const Place place(i * N, shape.oh, shape.ow, shape.channels);
    const PoolWindow window(shape, place.row, place.column);
    Lanes<N> mean{};
    window.each(shape, place, [&](int64_t, int64_t, int64_t element) {
      const Lanes<N> v = load_lanes<N>(x + element);
      for (int j = 0; j < N; ++j) mean.v[j] += v.v[j];
    });
    for (int j = 0; j < N; ++j) mean.v[j] /= window.extent();
    store_lanes<N>(y + i * N, mean);
  }
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

/// The gradient of a pooling: N numbers of dx gather from the outputs whose windows cover them, each of which
/// f(first output, row and column of the tap, window, sums) adds.
template <int N, class F>
__device__ Lanes<N> gather(const Pooling& s, int64_t i, const F& f) {
  const Place at(i * N, s.h, s.w, s.channels);
  const Covering rows(at.row, s.oh, s.kernel_h, s.stride_h, s.pad_h);
  const Covering columns(at.column, s.ow, s.kernel_w, s.stride_w, s.pad_w);
  Lanes<N> sums{};
  for (int64_t oh = rows.first; oh < rows.end; ++oh) {
    for (int64_t ow = columns.first; ow < columns.end; ++ow) {
      const int64_t row = at.row + s.pad_h - oh * s.stride_h, column = at.column + s.pad_w - ow * s.stride_w;
      const int64_t output = ((at.plane * s.oh + oh) * s.ow + ow) * s.channels + at.channel;
      f(output, row * s.kernel_w + column, PoolWindow(s, oh, ow), sums);
    }
  }
  return sums;
}

/// dy, code (n, c, oh, ow) -> dx (n, c, h, w).
template <class T, class>
struct MaxPoolGradOf : TakesAlike {
  const T* dy;
  Codes code;
  T* dx;
  Pooling shape;

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
  void run(const Launch& launch) const { for_lanes(launch, shape.inputs(), shape.whole(), *this); }
  template <int N>
  __device__ void at(int64_t i) const {
    const auto share = [this](int64_t output, int64_t tap, const PoolWindow&, Lanes<N>& sums) {
      int32_t winner[N];
      code.get<N>(output, winner);
      const Lanes<N> d = load_lanes<N>(dy + output);
      for (int j = 0; j < N; ++j) {
        if (winner[j] == tap) sums.v[j] += d.v[j];
      }
    };
    store_lanes<N>(dx + i * N, gather<N>(shape, i, share));
  }
};
using MaxPoolGrad = Stored<MaxPoolGradOf>;

/// dy -> dx.
template <class T, class>
struct AveragePoolGradOf : TakesAlike {
  const T* dy;
  T* dx;
  Pooling shape;

  explicit AveragePoolGradOf(Prepare& step)
      : dy(numbers<T>(step.in(0))), dx(numbers_to<T>(step.out(0))), shape(step, step.out(0), step.in(0), kType<T>) {
    step.expect(step.out(0) && holds(step.in(0), step.in(0).size(), kType<T>),
                "images and the gradient of their windows");
  }
  void run(const Launch& launch) const { for_lanes(launch, shape.inputs(), shape.whole(), *this); }
  template <int N>
  __device__ void at(int64_t i) const {
    const auto share = [this](int64_t output, int64_t, const PoolWindow& window, Lanes<N>& sums) {
      const Lanes<N> d = load_lanes<N>(dy + output);
      for (int j = 0; j < N; ++j) sums.v[j] += d.v[j] / window.extent();
    };
    store_lanes<N>(dx + i * N, gather<N>(shape, i, share));
  }
};
using AveragePoolGrad = Stored<AveragePoolGradOf>;

}  // namespace

CORTADO_WINDOW_KERNELS(CORTADO_DEFINE_KERNEL)

}  // namespace cortado::cuda
