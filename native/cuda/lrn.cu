// Local response normalisation. This is the place where an algorithm is chosen for a shape: cuDNN's where it was
// measured to be faster, our own otherwise.
#include "../kernels/lrn.h"

#include "device.h"
#include "index.h"
#include "stored.h"
#include "table.h"
#include "vendor/vendor.h"

namespace cortado::cuda {

namespace {

/// s^-beta and 1 / s.
struct Scaled {
  float power, inverse;
};

__device__ inline Scaled scaled(float s, float beta) {
  if (beta == 0.75f) {
    const float root = rsqrtf(s);
    return {root * sqrtf(root), root * root};
  }
  if (beta == 0.5f) {
    const float root = rsqrtf(s);
    return {root, root * root};
  }
  return {beta == 1.0f ? 1.0f / s : powf(s, -beta), 1.0f / s};
}

/// Windows across channels. s is never stored; backward computes it again.
template <class I>
struct AcrossChannels {
  using Index = I;
  Grid<I> grid;  // images, channels, pixels
  I half;
  float factor, k, beta;

  explicit AcrossChannels(const LrnAcross& e)
      : grid(e.channels, e.pixels), half(static_cast<I>(e.half)), factor(e.factor), k(e.k), beta(e.beta) {}

  /// Sum of f(j) over the elements j of the window around element i.
  template <class F>
  __device__ float over(I i, const F& f) const {
    const I c = grid.cell(i).row, channels = grid.rows;
    const I first = c > half ? c - half : 0, last = c + half < channels ? c + half : channels - 1;
    float sum = 0;
    for (I j = first; j <= last; ++j) sum += f(i + (j - c) * grid.columns);
    return sum;
  }
};

/// Windows within each channel.
template <class I>
struct WithinChannel {
  using Index = I;
  Grid<I> grid;  // planes, rows, columns
  I half;
  float factor, k, beta;

  explicit WithinChannel(const LrnWithinChannel& e)
      : grid(e.h, e.w), half(static_cast<I>(e.half)), factor(e.factor), k(1), beta(e.beta) {}

  template <class F>
  __device__ float over(I i, const F& f) const {
    const Cell<I> cell = grid.cell(i);
    const I row = cell.row, column = cell.column, h = grid.rows, w = grid.columns;
    const I top = row > half ? row - half : 0, bottom = row + half < h ? row + half : h - 1;
    const I left = column > half ? column - half : 0, right = column + half < w ? column + half : w - 1;
    float sum = 0;
    for (I r = top; r <= bottom; ++r) {
      for (I c = left; c <= right; ++c) sum += f(i + (r - row) * w + (c - column));
    }
    return sum;
  }
};

/// s of an element, as s^-beta and 1 / s.
template <class Window, class T>
__device__ Scaled scale_of(const Window& window, const T* x, typename Window::Index i) {
  const auto square = [x](auto j) {
    const float v = widen(x[j]);
    return v * v;
  };
  return scaled(fmaf(window.factor, window.over(i, square), window.k), window.beta);
}

template <class Window, class T>
struct Normalize {
  const T* x;
  T* y;
  Window window;
  __device__ void operator()(typename Window::Index i) const {
    y[i] = narrow<T>(widen(x[i]) * scale_of(window, x, i).power);
  }
};

/// Each element's part of its neighbours' sums: dy x s^(-beta - 1).
template <class Window, class T, class V>
struct SlopeTerms {
  const T* dy;
  const V* x;
  float* terms;
  Window window;
  __device__ void operator()(typename Window::Index i) const {
    const Scaled s = scale_of(window, x, i);
    terms[i] = widen(dy[i]) * s.power * widen(x[i]) * s.inverse;
  }
};

/// dx = dy s^-beta - 2 factor beta x * (sum of the terms over the window). s again, which is sooner computed than
/// fetched.
template <class Window, class T, class V>
struct Slope {
  SlopeTerms<Window, T, V> of;
  T* dx;
  __device__ void operator()(typename Window::Index i) const {
    const Window& window = of.window;
    const float direct = widen(of.dy[i]) * scale_of(window, of.x, i).power;
    const float slope = -2 * window.factor * window.beta * widen(of.x[i]);
    dx[i] = narrow<T>(direct + slope * window.over(i, [this](auto j) { return of.terms[j]; }));
  }
};

template <class Window, class T>
void normalize(const Launch& launch, int64_t n, const T* x, T* y, const Window& window) {
  for_each<typename Window::Index>(launch, n, Normalize<Window, T>{x, y, window});
}
/// The terms, as many, are in scratch memory.
template <class Window, class T, class V>
void normalize_gradient(const Launch& launch, int64_t n, const T* dy, const V* x, T* dx, const Window& window) {
  const SlopeTerms<Window, T, V> terms{dy, x, static_cast<float*>(launch.scratch), window};
  for_each<typename Window::Index>(launch, n, terms);
  for_each<typename Window::Index>(launch, n, Slope<Window, T, V>{terms, dx});
}

/// Windows of five channels with beta 3/4, as AlexNet's and GoogLeNet's are: a thread takes kEach channels of a pixel,
/// of which it reads each once, and has nothing to write but the result.
template <class I, int kEach>
struct FiveChannels {
  using Index = I;
  Grid<I> grid;  // images, kEach channels, pixels
  I channels;
  float factor, k, slope;

  explicit FiveChannels(const LrnAcross& e)
      : grid(count(e.channels), e.pixels),
        channels(static_cast<I>(e.channels)),
        factor(e.factor),
        k(e.k),
        slope(-2 * e.factor * e.beta) {}
  static int64_t count(int64_t channels) { return (channels + kEach - 1) / kEach; }
  static int64_t threads(const LrnAcross& e) { return e.images * count(e.channels) * e.pixels; }

  /// A thread's first channel, and where it lies.
  struct Place {
    I channel, at;
  };
  __device__ Place place(I i) const {
    const Cell<I> cell = grid.cell(i);
    const I channel = cell.row * kEach;
    return {channel, (cell.plane * channels + channel) * grid.columns + cell.column};
  }
  __device__ bool has(const Place& place, int j) const {
    return place.channel + j >= 0 && place.channel + j < channels;
  }
  /// The channels from `before` before the first on; those that are not there read as 0.
  template <int kCount, class T>
  __device__ void load(const T* from, const Place& place, int before, float (&to)[kCount]) const {
    CORTADO_UNROLL(32)
    for (int j = 0; j < kCount; ++j)
      to[j] = has(place, j - before) ? widen(from[place.at + (j - before) * grid.columns]) : 0.0f;
  }
  template <class T>
  __device__ void store(T* to, const Place& place, int j, float value) const {
    if (has(place, j)) to[place.at + j * grid.columns] = narrow<T>(value);
  }
  /// Of the third of five channels.
  __device__ Scaled scale(const float* five) const {
    float sum = 0;
    CORTADO_UNROLL(5)
    for (int j = 0; j < 5; ++j) sum = fmaf(five[j], five[j], sum);
    return scaled(fmaf(factor, sum, k), 0.75f);
  }
};

template <class T, class Five, int kEach>
struct NormalizeFive {
  const T* x;
  T* y;
  Five five;
  __device__ void operator()(typename Five::Index i) const {
    const auto place = five.place(i);
    float v[kEach + 4];
    five.load(x, place, 2, v);
    CORTADO_UNROLL(32)
    for (int j = 0; j < kEach; ++j) five.store(y, place, j, v[j + 2] * five.scale(v + j).power);
  }
};

template <class T, class V, class Five, int kEach>
struct SlopeFive {
  const T* dy;
  const V* x;
  T* dx;
  Five five;
  __device__ void operator()(typename Five::Index i) const {
    const auto place = five.place(i);
    float v[kEach + 8], direct[kEach + 4], term[kEach + 4];
    five.load(x, place, 4, v);
    five.load(dy, place, 2, direct);
    CORTADO_UNROLL(32)
    for (int j = 0; j < kEach + 4; ++j) {
      const Scaled s = five.scale(v + j);
      direct[j] *= s.power;
      term[j] = five.has(place, j - 2) ? direct[j] * v[j + 2] * s.inverse : 0.0f;
    }
    CORTADO_UNROLL(32)
    for (int j = 0; j < kEach; ++j) {
      const float sum = term[j] + term[j + 1] + term[j + 2] + term[j + 3] + term[j + 4];
      five.store(dx, place, j, fmaf(five.slope * v[j + 4], sum, direct[j + 2]));
    }
  }
};

/// The gradient computes more than it writes: the longer its threads' runs, the less of it.
constexpr int kForward = 8, kBackward = 16;

bool takes_five(const LrnAcross& e) { return e.half == 2 && e.beta == 0.75f; }
/// What an index counts to: whole runs of channels.
int64_t most_of(const LrnAcross& e) { return e.images * ((e.channels + kBackward) * e.pixels); }

/// x -> y.
template <class T, class Extents>
struct Normalization {
  const T* x;
  T* y;
  int64_t n;
  Extents extents;

  explicit Normalization(Prepare& step)
      : x(numbers<T>(step.in(0))),
        y(numbers_to<T>(step.out(0))),
        n(step.in(0).size()),
        extents(step, step.in(0), kType<T>) {
    expect_normalized(step, kType<T>);
  }
};

template <class T, class>
struct LrnOf : Normalization<T, LrnAcross> {
  Vendor* vendor;
  const LrnCall* library = nullptr;

  explicit LrnOf(Prepare& step) : Normalization<T, LrnAcross>(step), vendor(&vendor_of(step.device())) {
    if constexpr (kType<T> == DType::f32) {
      const LrnAcross& e = this->extents;
      const LrnShape shape{e.images,
                           e.channels,
                           e.pixels,
                           step.integer("localSize") / 2 * 2 + 1,
                           step.number("alpha"),
                           step.number("beta"),
                           step.number("k")};
      library = vendor->lrn(shape, [this](cudaStream_t stream, const float* from, float* to) {
        compute({stream, nullptr, nullptr}, from, to);
      });
    }
  }
  void run(const Launch& launch) const {
    if constexpr (kType<T> == DType::f32) {
      // A library does not look whether the run has been halted.
      if (library && !launch.halt) return vendor->run(*library, launch.stream, this->x, this->y);
    }
    compute(launch, this->x, this->y);
  }

 private:
  void compute(const Launch& launch, const T* from, T* to) const {
    const LrnAcross& e = this->extents;
    with_index(most_of(e), [&](auto index) {
      using I = decltype(index);
      using Five = FiveChannels<I, kForward>;
      if (!takes_five(e)) return normalize(launch, this->n, from, to, AcrossChannels<I>(e));
      for_each<I>(launch, Five::threads(e), NormalizeFive<T, Five, kForward>{from, to, Five(e)});
    });
  }
};
using Lrn = Stored<LrnOf>;

template <class T, class>
struct LrnWithinOf : Normalization<T, LrnWithinChannel> {
  using Normalization<T, LrnWithinChannel>::Normalization;
  void run(const Launch& launch) const {
    with_index(this->n, [&](auto index) {
      normalize(launch, this->n, this->x, this->y, WithinChannel<decltype(index)>(this->extents));
    });
  }
};
using LrnWithin = Stored<LrnWithinOf>;

/// dy, x -> dx.
template <class T, class V, class Extents>
struct NormalizationGrad {
  const T* dy;
  const V* x;
  T* dx;
  int64_t n;
  Extents extents;

  explicit NormalizationGrad(Prepare& step)
      : dy(numbers<T>(step.in(0))),
        x(numbers<V>(step.in(1))),
        dx(numbers_to<T>(step.out(0))),
        n(step.in(1).size()),
        extents(step, step.in(1), kType<V>) {
    expect_normalized_gradient(step, kType<T>);
  }
  size_t terms() const { return static_cast<size_t>(n) * sizeof(float); }
};

template <class T, class V>
struct LrnGradOf : NormalizationGrad<T, V, LrnAcross> {
  explicit LrnGradOf(Prepare& step) : NormalizationGrad<T, V, LrnAcross>(step) {
    if (!takes_five(this->extents)) step.scratch(this->terms());
  }
  void run(const Launch& launch) const {
    const LrnAcross& e = this->extents;
    with_index(most_of(e), [&](auto index) {
      using I = decltype(index);
      using Five = FiveChannels<I, kBackward>;
      if (!takes_five(e)) return normalize_gradient(launch, this->n, this->dy, this->x, this->dx, AcrossChannels<I>(e));
      for_each<I>(launch, Five::threads(e), SlopeFive<T, V, Five, kBackward>{this->dy, this->x, this->dx, Five(e)});
    });
  }
};
using LrnGrad = Stored<LrnGradOf>;

template <class T, class V>
struct LrnWithinGradOf : NormalizationGrad<T, V, LrnWithinChannel> {
  explicit LrnWithinGradOf(Prepare& step) : NormalizationGrad<T, V, LrnWithinChannel>(step) {
    step.scratch(this->terms());
  }
  void run(const Launch& launch) const {
    with_index(this->n, [&](auto index) {
      normalize_gradient(launch, this->n, this->dy, this->x, this->dx, WithinChannel<decltype(index)>(this->extents));
    });
  }
};
using LrnWithinGrad = Stored<LrnWithinGradOf>;

}  // namespace

CORTADO_LRN_KERNELS(CORTADO_DEFINE_KERNEL)

}  // namespace cortado::cuda
