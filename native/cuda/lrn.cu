// Local response normalisation. This is the place where an algorithm is chosen for a shape: cuDNN's where it was
// measured to be faster, our own otherwise.
#include "device.h"
#include "lrn_windows.h"
#include "stored.h"
#include "table.h"
#include "vendor/vendor.h"

namespace cortado::cuda {

namespace {

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
/// fetched. With `relu`, behind the ReLU that made x.
template <class Window, class T, class V>
struct Slope {
  SlopeTerms<Window, T, V> of;
  T* dx;
  bool relu;
  __device__ void operator()(typename Window::Index i) const {
    const Window& window = of.window;
    const float direct = widen(of.dy[i]) * scale_of(window, of.x, i).power;
    const float x = widen(of.x[i]), slope = -2 * window.factor * window.beta * x;
    const float all = direct + slope * window.over(i, [this](auto j) { return of.terms[j]; });
    dx[i] = narrow<T>(relu ? rectified(all, x) : all);
  }
};

template <class Window, class T>
void normalize(const Launch& launch, int64_t n, const T* x, T* y, const Window& window) {
  for_each<typename Window::Index>(launch, n, Normalize<Window, T>{x, y, window});
}
/// The terms, as many, are in scratch memory.
template <class Window, class T, class V>
void normalize_gradient(const Launch& launch, int64_t n, const T* dy, const V* x, T* dx, const Window& window,
                        bool relu = false) {
  const SlopeTerms<Window, T, V> terms{dy, x, static_cast<float*>(launch.scratch), window};
  for_each<typename Window::Index>(launch, n, terms);
  for_each<typename Window::Index>(launch, n, Slope<Window, T, V>{terms, dx, relu});
}

template <class T, class Five>
struct NormalizeFive {
  const T* x;
  T* y;
  Five five;
  __device__ void operator()(int32_t i) const {
    constexpr int kEach = Five::kEach;
    const auto place = five.place(i);
    float v[kEach + 4];
    five.load(x, place, 2, v);
    Lanes<kEach> run;
    CORTADO_UNROLL(32)
    for (int j = 0; j < kEach; ++j) run.v[j] = v[j + 2] * five.scale(v + j).power;
    five.store(y, place, run);
  }
};

template <class T, class V, class Five>
struct SlopeFive {
  const T* dy;
  const V* x;
  T* dx;
  Five five;
  bool relu;
  __device__ void operator()(int32_t i) const {
    constexpr int kEach = Five::kEach;
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
    Lanes<kEach> run;
    CORTADO_UNROLL(32)
    for (int j = 0; j < kEach; ++j) {
      const float sum = term[j] + term[j + 1] + term[j + 2] + term[j + 3] + term[j + 4];
      run.v[j] = fmaf(five.slope * v[j + 4], sum, direct[j + 2]);
      if (relu) run.v[j] = rectified(run.v[j], v[j + 4]);
    }
    five.store(dx, place, run);
  }
};

/// x -> y.
template <class T, class Extents>
struct Normalization : TakesAlike {
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

template <class T>
struct LrnOf : Normalization<T, Across> {
  Vendor* vendor;
  const LrnCall* library = nullptr;

  explicit LrnOf(Prepare& step) : Normalization<T, Across>(step), vendor(&vendor_of(step.device())) {
    if constexpr (kType<T> == DType::f32) {
      const Across& e = this->extents;
      if (e.last) return;
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
    const Across& e = this->extents;
    if (takes_runs(e))
      return with_runs<kForward>(
          e, [&](const auto& five) { for_each<int32_t>(launch, five.threads(e), NormalizeFive{from, to, five}); });
    with_index(this->n, [&](auto index) { normalize(launch, this->n, from, to, AcrossChannels<decltype(index)>(e)); });
  }
};
using Lrn = Stored<LrnOf>;

template <class T>
struct LrnWithinOf : Normalization<T, Within> {
  using Normalization<T, Within>::Normalization;
  void run(const Launch& launch) const {
    with_index(this->n, [&](auto index) {
      normalize(launch, this->n, this->x, this->y, WithinChannel<decltype(index)>(this->extents));
    });
  }
};
using LrnWithin = Stored<LrnWithinOf>;

/// dy, x -> dx.
template <class T, class V, class Extents>
struct NormalizationGrad : TakesAlike {
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

/// With kRelu, that of the ReLU that made x too.
template <bool kRelu>
struct LrnGradBy {
  template <class T, class V>
  struct Of : NormalizationGrad<T, V, Across> {
    explicit Of(Prepare& step) : NormalizationGrad<T, V, Across>(step) {
      if (!takes_runs(this->extents)) step.scratch(this->terms());
    }
    void run(const Launch& launch) const {
      const Across& e = this->extents;
      if (takes_runs(e))
        return with_runs<kBackward>(e, [&](const auto& five) {
          for_each<int32_t>(launch, five.threads(e), SlopeFive{this->dy, this->x, this->dx, five, kRelu});
        });
      with_index(this->n, [&](auto index) {
        const AcrossChannels<decltype(index)> windows(e);
        normalize_gradient(launch, this->n, this->dy, this->x, this->dx, windows, kRelu);
      });
    }
  };
};
using LrnGrad = StoredGradient<LrnGradBy<false>::Of>;
using LrnReluGrad = StoredGradient<LrnGradBy<true>::Of>;

template <class T, class V>
struct LrnWithinGradOf : NormalizationGrad<T, V, Within> {
  explicit LrnWithinGradOf(Prepare& step) : NormalizationGrad<T, V, Within>(step) { step.scratch(this->terms()); }
  void run(const Launch& launch) const {
    with_index(this->n, [&](auto index) {
      normalize_gradient(launch, this->n, this->dy, this->x, this->dx, WithinChannel<decltype(index)>(this->extents));
    });
  }
};
using LrnWithinGrad = StoredGradient<LrnWithinGradOf>;

}  // namespace

CORTADO_LRN_KERNELS(CORTADO_DEFINE_KERNEL)
CORTADO_DEFINE_KERNEL(lrn_relu_grad, LrnReluGrad)

}  // namespace cortado::cuda
