// Pooling.
#include "pooling_windows.h"
#include "stored.h"
#include "table.h"

namespace cortado::cuda {

namespace {

/// A maximum and where it is.
template <class T, class Windows>
struct Largest {
  using I = typename Windows::Index;
  static constexpr int N = Windows::kEach;
  const T* x;
  T* y;
  float* mask;
  Codes code;
  Windows windows;

  __device__ void operator()(I i) const {
    const Cell<I> cell = windows.out.cell(i);
    const auto rows = windows.rows.span(cell.row), columns = windows.columns.span(cell.column);
    const I kernel = windows.columns.kernel;
    Best<N> best(static_cast<int32_t>(rows.first * kernel + columns.first));
    windows.each_tap(cell,
                     [&](I element, I tap) { best.meet(load_lanes<N>(x + element * N), static_cast<int32_t>(tap)); });
    if (y) store_lanes<N>(y + i * N, best.value);
    if (code.data) code.set(i, best.winner);
    if (!mask) return;
    Lanes<N> pixel;
    for (int j = 0; j < N; ++j) {
      const I row = rows.start + best.winner[j] / kernel, column = columns.start + best.winner[j] % kernel;
      pixel.v[j] = static_cast<float>(row * windows.columns.size + column);
    }
    store_lanes<N>(mask + i * N, pixel);
  }
};

/// x (n, c, h, w) -> y (n, c, oh, ow), mask (index of the maximum in its plane, as float), code (kernel_w * row +
/// column of the tap within the unclipped window).
template <class T>
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
        shape(step, PoolShape::of_max(step, kType<T>)) {}
  void run(const Launch& launch) const {
    with_windows(
        shape, [&](const auto& windows) { for_windows(launch, shape.outputs(), Largest{x, y, mask, code, windows}); });
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

template <class T, class Windows>
struct Mean {
  using I = typename Windows::Index;
  static constexpr int N = Windows::kEach;
  const T* x;
  T* y;
  Windows windows;

  __device__ void operator()(I i) const {
    const Cell<I> cell = windows.out.cell(i);
    Lanes<N> mean{};
    windows.each_tap(cell, [&](I element, I) {
      const Lanes<N> v = load_lanes<N>(x + element * N);
      for (int j = 0; j < N; ++j) mean.v[j] += v.v[j];
    });
    const float extent = windows.extent(cell.row, cell.column);
    for (int j = 0; j < N; ++j) mean.v[j] /= extent;
    store_lanes<N>(y + i * N, mean);
  }
};

/// x (n, c, h, w) -> y (n, c, oh, ow): sums divided by the window's extent in the padded plane.
template <class T>
struct AveragePoolOf : TakesAlike {
  const T* x;
  T* y;
  Pooling shape;

  explicit AveragePoolOf(Prepare& step)
      : x(numbers<T>(step.in(0))), y(numbers_to<T>(step.out(0))), shape(step, PoolShape::of_average(step, kType<T>)) {}
  void run(const Launch& launch) const {
    if (shape.global() && shape.channels == 1)
      return for_blocks(launch, shape.planes, GlobalMean<T>{x, y, shape.h * shape.w});
    with_windows(shape, [&](const auto& windows) { for_windows(launch, shape.outputs(), Mean{x, y, windows}); });
  }
};
using AveragePool = Stored<AveragePoolOf>;

/// The gradient of a pooling: every pixel gathers from the outputs whose windows cover it share(output, row and column
/// of the tap, windows' rows and columns), added to its sums; where a ReLU made the pixels, y, behind that too.
template <class T, class V, class Windows, class Share>
struct Gather {
  using I = typename Windows::Index;
  static constexpr int N = Windows::kEach;
  T* dx;
  const V* y;
  Share share;
  Windows windows;

  __device__ void operator()(I i) const {
    const auto &rows = windows.rows, &columns = windows.columns;
    const Cell<I> cell = windows.in.cell(i);
    const I first = columns.first(cell.column), last = columns.end(cell.column), bottom = rows.end(cell.row);
    Lanes<N> sums{};
    for (I oh = rows.first(cell.row); oh < bottom; ++oh) {
      const I line = windows.out.at({cell.plane, oh, 0, cell.channel});
      const I tap = (cell.row + rows.pad - oh * rows.stride) * columns.kernel + cell.column + columns.pad;
      for (I ow = first; ow < last; ++ow)
        share(windows, line + ow * windows.out.channels, tap - ow * columns.stride, oh, ow, sums);
    }
    if (y) {
      const Lanes<N> sign = load_lanes<N>(y + i * N);
      for (int j = 0; j < N; ++j) sums.v[j] = rectified(sums.v[j], sign.v[j]);
    }
    store_lanes<N>(dx + i * N, sums);
  }
};

/// Of a maximum, all to the tap that has it.
template <class T>
struct ShareOfMax {
  const T* dy;
  Codes code;
  template <class Windows, class I, int N>
  __device__ void operator()(const Windows&, I output, I tap, I, I, Lanes<N>& sums) const {
    int32_t winner[N];
    code.get(output, winner);
    const Lanes<N> d = load_lanes<N>(dy + output * N);
    for (int j = 0; j < N; ++j) {
      if (winner[j] == tap) sums.v[j] += d.v[j];
    }
  }
};

/// The same where few windows cover a pixel, of N channels.
template <class T, class V, int Channels>
struct GatherOfFew {
  using I = int32_t;
  static constexpr int N = Channels;
  FewWindows<T> won;
  const V* y;
  T* dx;
  WindowsOf<I, N> windows;

  __device__ void operator()(I i) const {
    Packed<V, N> sign{};
    if (y) sign = packed<N>(y + i * N);
    Lanes<N> sums = won.of(windows, windows.in.cell(i));
    for (int j = 0; j < N; ++j) {
      if (y) sums.v[j] = rectified(sums.v[j], sign[j]);
    }
    store_lanes<N>(dx + i * N, sums);
  }
};

/// Of a mean, to every tap as much.
template <class T>
struct ShareOfMean {
  const T* dy;
  template <class Windows, class I, int N>
  __device__ void operator()(const Windows& windows, I output, I, I oh, I ow, Lanes<N>& sums) const {
    const Lanes<N> d = load_lanes<N>(dy + output * N);
    const float extent = windows.extent(oh, ow);
    for (int j = 0; j < N; ++j) sums.v[j] += d.v[j] / extent;
  }
};

template <class T, class V, class Share>
void gather(const Launch& launch, const Pooling& shape, T* dx, const V* y, const Share& share) {
  with_windows(shape, [&](const auto& windows) { for_windows(launch, shape.inputs(), Gather{dx, y, share, windows}); });
}

/// What a ReLU made, behind the inputs of the gradient that it has part in.
template <class V>
const V* rectified_by(Prepare& step, int at) {
  step.expect(holds(step.in(at), step.out(0).size(), kType<V>), "what the ReLU made");
  return numbers<V>(step.in(at));
}

/// dy, code (n, c, oh, ow) -> dx (n, c, h, w); with kRelu also y (n, c, h, w), whose ReLU's gradient it is too.
template <bool kRelu>
struct MaxPoolGradBy {
  template <class T, class V>
  struct Of : TakesAlike {
    ShareOfMax<T> share;
    const V* y = nullptr;
    T* dx;
    Pooling shape;
    bool few;

    explicit Of(Prepare& step)
        : share{numbers<T>(step.in(0)), Codes(step.in(1))},
          dx(numbers_to<T>(step.out(0))),
          shape(step, PoolShape::of_max_gradient(step, kType<T>)),
          few(FewWindows<T>::suit(shape, step.in(1)) && countable(most_of(shape))) {
      if constexpr (kRelu) y = rectified_by<V>(step, 2);
    }
    void run(const Launch& launch) const {
      if (!few) return gather(launch, shape, dx, y, share);
      const FewWindows<T> won{share.dy, static_cast<const uint8_t*>(share.code.data)};
      const auto start = [&]<int N>() {
        for_windows(launch, shape.inputs(), GatherOfFew<T, V, N>{won, y, dx, WindowsOf<int32_t, N>(shape)});
      };
      if (shape.channels == 1) {
        start.template operator()<1>();
      } else {
        start.template operator()<kLanes>();
      }
    }
  };
};
using MaxPoolGrad = StoredGradient<MaxPoolGradBy<false>::Of>;
using MaxPoolReluGrad = StoredGradient<MaxPoolGradBy<true>::Of>;

/// dy -> dx; with kRelu also y, whose ReLU's gradient it is too.
template <bool kRelu>
struct AveragePoolGradBy {
  template <class T, class V>
  struct Of : TakesAlike {
    ShareOfMean<T> share;
    const V* y = nullptr;
    T* dx;
    Pooling shape;

    explicit Of(Prepare& step)
        : share{numbers<T>(step.in(0))},
          dx(numbers_to<T>(step.out(0))),
          shape(step, PoolShape::of_gradient(step, kType<T>)) {
      if constexpr (kRelu) y = rectified_by<V>(step, 1);
    }
    void run(const Launch& launch) const { gather(launch, shape, dx, y, share); }
  };
};
using AveragePoolGrad = StoredGradient<AveragePoolGradBy<false>::Of>;
using AveragePoolReluGrad = StoredGradient<AveragePoolGradBy<true>::Of>;

}  // namespace

CORTADO_POOL_KERNELS(CORTADO_DEFINE_KERNEL)
CORTADO_DEFINE_KERNEL(maxPool_relu_grad, MaxPoolReluGrad)
CORTADO_DEFINE_KERNEL(averagePool_relu_grad, AveragePoolReluGrad)

}  // namespace cortado::cuda
