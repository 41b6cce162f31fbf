// Sums, products and maxima over any number of tensors of one shape, and dropout.
#include "../kernels/random.h"
#include "../kernels/terms.h"
#include "packs.h"
#include "stored.h"
#include "table.h"

namespace cortado::cuda {

namespace {

/// y = sum of coefficients[i] * x[i]; y may lie over any of them.
template <class T>
struct SumOf : TakesAlike {
  Terms<T> terms;
  float coefficient[kMaxTerms];
  T* y;

  explicit SumOf(Prepare& step) : terms(step, 0, step.inputs(), kType<T>), y(numbers_to<T>(step.out(0))) {
    double values[kMaxTerms];
    const int given = step.list("coefficients", values, kMaxTerms);
    step.expect(given == terms.count && holds(step.out(0), terms.n, kType<T>),
                "a coefficient for every tensor and a sum");
    for (int i = 0; i < given; ++i) coefficient[i] = static_cast<float>(values[i]);
  }

  void run(const Launch& launch) const { for_each(launch, packs_of<T>(terms.n), *this); }

  __device__ void operator()(int64_t q) const {
    Pack<T> sum{};
    for (int t = 0; t < terms.count; ++t) {
      const Pack<T> x = load_pack(terms.x[t], q, terms.n);
      for (int j = 0; j < Pack<T>::kSize; ++j)
        sum.v[j] = t == 0 ? coefficient[0] * x.v[j] : sum.v[j] + coefficient[t] * x.v[j];
    }
    store_pack(y, q, terms.n, sum);
  }
};
using Sum = Stored<SumOf>;

template <class T>
struct EltwiseProdOf : TakesAlike {
  Terms<T> terms;
  T* y;

  explicit EltwiseProdOf(Prepare& step) : terms(step, 0, step.inputs(), kType<T>), y(numbers_to<T>(step.out(0))) {
    step.expect(holds(step.out(0), terms.n, kType<T>), "tensors of one size");
  }

  void run(const Launch& launch) const { for_each(launch, terms.n, *this); }

  __device__ void operator()(int64_t i) const {
    float product = widen(terms.x[0][i]);
    for (int k = 1; k < terms.count; ++k) product *= widen(terms.x[k][i]);
    y[i] = narrow<T>(product);
  }
};
using EltwiseProd = Stored<EltwiseProdOf>;

/// Gradients of each term, those that are wanted.
template <class T>
struct TermGradients {
  T* dx[kMaxTerms];

  TermGradients(Prepare& step, int count, int64_t n) {
    step.expect(count <= kMaxTerms, "at most 256 tensors");
    for (int i = 0; i < count; ++i) {
      step.expect(may_hold(step.out(i), n, kType<T>), "tensors of one size");
      dx[i] = numbers_to<T>(step.out(i));
    }
  }
};

/// Inputs dy, y (read unless `stable`), then the factors; one output per factor. Stable: the product of the others.
/// Else y / x, which is NaN where x is 0, as in Caffe.
template <class T, class V>
struct EltwiseProdGradOf : TakesAlike {
  Terms<V> terms;
  TermGradients<T> to;
  const T* dy;
  const V* y;
  int64_t stable;

  explicit EltwiseProdGradOf(Prepare& step)
      : terms(step, 2, step.inputs() - 2, kType<V>),
        to(step, terms.count, terms.n),
        dy(numbers<T>(step.in(0))),
        y(numbers<V>(step.in(1))),
        stable(step.integer("stable")) {
    step.expect(holds(step.in(0), terms.n, kType<T>), "tensors of one size");
    step.expect(stable || holds(step.in(1), terms.n, kType<V>), "tensors of one size");
  }

  void run(const Launch& launch) const { for_each(launch, terms.n, *this); }

  __device__ void operator()(int64_t i) const {
    const float d = widen(dy[i]);
    for (int k = 0; k < terms.count; ++k) {
      if (to.dx[k]) to.dx[k][i] = narrow<T>(d * others(k, i));
    }
  }

 private:
  __device__ float others(int k, int64_t i) const {
    if (!stable) return widen(y[i]) / widen(terms.x[k][i]);
    float product = 1.0f;
    for (int j = 0; j < terms.count; ++j) {
      if (j != k) product *= widen(terms.x[j][i]);
    }
    return product;
  }
};
using EltwiseProdGrad = StoredGradient<EltwiseProdGradOf>;

/// Outputs y and, for the gradient, the number of the winner (i32). Caffe's ties (eltwise_layer.cu): of the first two
/// the second wins, a later one must be strictly larger.
template <class T>
struct EltwiseMaxOf : TakesAlike {
  Terms<T> terms;
  T* y;
  int32_t* winner;

  explicit EltwiseMaxOf(Prepare& step)
      : terms(step, 0, step.inputs(), kType<T>), y(numbers_to<T>(step.out(0))), winner(step.out(1).i32()) {
    step.expect(may_hold(step.out(0), terms.n, kType<T>) && may_hold(step.out(1), terms.n, DType::i32),
                "tensors of one size");
  }

  void run(const Launch& launch) const { for_each(launch, terms.n, *this); }

  __device__ void operator()(int64_t i) const {
    float most = widen(terms.x[0][i]);
    int32_t best = 0;
    for (int k = 1; k < terms.count; ++k) {
      const float x = widen(terms.x[k][i]);
      if (k == 1 ? most > x : !(x > most)) continue;
      most = x;
      best = k;
    }
    if (y) y[i] = narrow<T>(most);
    if (winner) winner[i] = best;
  }
};
using EltwiseMax = Stored<EltwiseMaxOf>;

/// Inputs dy, winner; one output per term.
template <class T>
struct EltwiseMaxGradOf : TakesAlike {
  const T* dy;
  const int32_t* winner;
  int count;
  int64_t n;
  TermGradients<T> to;

  explicit EltwiseMaxGradOf(Prepare& step)
      : dy(numbers<T>(step.in(0))),
        winner(step.in(1).i32()),
        count(step.outputs()),
        n(step.in(0).size()),
        to(step, count, n) {
    step.expect(holds(step.in(0), n, kType<T>) && holds(step.in(1), n, DType::i32), "tensors of one size");
  }

  void run(const Launch& launch) const { for_each(launch, n, *this); }

  __device__ void operator()(int64_t i) const {
    const T d = dy[i];
    const int32_t best = winner[i];
    for (int k = 0; k < count; ++k) {
      if (to.dx[k]) to.dx[k][i] = k == best ? d : T{};
    }
  }
};
using EltwiseMaxGrad = Stored<EltwiseMaxGradOf>;

/// x, random state (4 x i32) -> y; y may lie over x. The same kernel turns dy into dx: the run's random numbers, drawn
/// again, make the same mask.
template <class T>
struct DropoutOf : TakesAlike {
  const T* x;
  const int32_t* state;
  T* y;
  int64_t n, stream;
  float scale;
  uint32_t dropped;  // random words below this drop their element
  int64_t channels = 1, pixels = 1;

  explicit DropoutOf(Prepare& step)
      : x(numbers<T>(step.in(0))), state(step.in(1).i32()), y(numbers_to<T>(step.out(0))), n(step.in(0).size()) {
    stream = step.integer("stream");
    const double ratio = step.number("ratio");
    step.expect(ratio >= 0 && ratio < 1, "a ratio of at least 0 and below 1");
    step.expect(holds(step.in(0), n, kType<T>) && holds(step.out(0), n, kType<T>), "tensors of one size");
    step.expect(holds(step.in(1), 4, DType::i32), "a random state");
    scale = static_cast<float>(1.0 / (1.0 - ratio));
    dropped = static_cast<uint32_t>(ratio * 4294967295.0);
    if (!step.in(0).channels_last) return;
    channels = step.in(0).dim[1];
    pixels = step.in(0).count(2, 4);
  }

  void run(const Launch& launch) const {
    if (channels > 1) return for_each(launch, n, ChannelsLast{*this});
    for_each(launch, packs_of<T>(n), *this);
  }

  __device__ void operator()(int64_t q) const {
    const RandomStream random(state, stream);
    Pack<T> v = load_pack(x, q, n);
    for (int first = 0; first < Pack<T>::kSize; first += 4) {
      const Words words = random.words((Pack<T>::kSize * q + first) / 4);
      for (int j = 0; j < 4; ++j) {
        float& own = v.v[first + j];
        own = words.word[j] < dropped ? 0.0f : own * scale;
      }
    }
    store_pack(y, q, n, v);
  }

  /// The mask is the same however elements lie: words have the numbers of those that lie with channels first.
  struct ChannelsLast {
    DropoutOf d;
    __device__ void operator()(int64_t i) const {
      const int64_t image = i / (d.channels * d.pixels), pixel = i / d.channels % d.pixels;
      const int64_t number = (image * d.channels + i % d.channels) * d.pixels + pixel;
      const uint32_t word = RandomStream(d.state, d.stream).words(number / 4).word[number % 4];
      d.y[i] = word < d.dropped ? T{} : narrow<T>(widen(d.x[i]) * d.scale);
    }
  };
};
using Dropout = Stored<DropoutOf>;

}  // namespace

CORTADO_ELTWISE_KERNELS(CORTADO_DEFINE_KERNEL)

}  // namespace cortado::cuda
