// Sums, products and maxima over any number of tensors of one shape, and dropout.
#include "../kernels/random.h"
#include "../kernels/terms.h"
#include "quads.h"
#include "table.h"

namespace cortado::cuda {

namespace {

/// y = sum of coefficients[i] * x[i]; y may lie over any of them.
struct Sum {
  Terms terms;
  float coefficient[kMaxTerms];
  float* y;

  explicit Sum(Prepare& step) : terms(step, 0, step.inputs()), y(step.out(0).f32()) {
    double values[kMaxTerms];
    const int given = step.list("coefficients", values, kMaxTerms);
    step.expect(given == terms.count && holds(step.out(0), terms.n), "a coefficient for every tensor and a sum");
    for (int i = 0; i < given; ++i) coefficient[i] = static_cast<float>(values[i]);
  }

  void run(const Launch& launch) const { for_each(launch, quads_of(terms.n), *this); }

  __device__ void operator()(int64_t q) const {
    Quad sum{};
    for (int t = 0; t < terms.count; ++t) {
      const Quad x = load_quad(terms.x[t], q, terms.n);
      for (int j = 0; j < 4; ++j) sum.v[j] = t == 0 ? coefficient[0] * x.v[j] : sum.v[j] + coefficient[t] * x.v[j];
    }
    store_quad(y, q, terms.n, sum);
  }
};

struct EltwiseProd {
  Terms terms;
  float* y;

  explicit EltwiseProd(Prepare& step) : terms(step, 0, step.inputs()), y(step.out(0).f32()) {
    step.expect(holds(step.out(0), terms.n), "tensors of one size");
  }

  void run(const Launch& launch) const { for_each(launch, terms.n, *this); }

  __device__ void operator()(int64_t i) const {
    float product = terms.x[0][i];
    for (int k = 1; k < terms.count; ++k) product *= terms.x[k][i];
    y[i] = product;
  }
};

/// Gradients of each term, those that are wanted.
struct TermGradients {
  float* dx[kMaxTerms];

  TermGradients(Prepare& step, int count, int64_t n) {
    step.expect(count <= kMaxTerms, "at most 256 tensors");
    for (int i = 0; i < count; ++i) {
      step.expect(may_hold(step.out(i), n), "tensors of one size");
      dx[i] = step.out(i).f32();
    }
  }
};

/// Inputs dy, y (read unless `stable`), then the factors; one output per factor. Stable: the product of the others.
/// Else y / x, which is NaN where x is 0, as in Caffe.
struct EltwiseProdGrad {
  Terms terms;
  TermGradients to;
  const float *dy, *y;
  int64_t stable;

  explicit EltwiseProdGrad(Prepare& step)
      : terms(step, 2, step.inputs() - 2),
        to(step, terms.count, terms.n),
        dy(step.in(0).f32()),
        y(step.in(1).f32()),
        stable(step.integer("stable")) {
    step.expect(holds(step.in(0), terms.n) && (stable || holds(step.in(1), terms.n)), "tensors of one size");
  }

  void run(const Launch& launch) const { for_each(launch, terms.n, *this); }

  __device__ void operator()(int64_t i) const {
    const float d = dy[i];
    for (int k = 0; k < terms.count; ++k) {
      if (to.dx[k]) to.dx[k][i] = d * others(k, i);
    }
  }

 private:
  __device__ float others(int k, int64_t i) const {
    if (!stable) return y[i] / terms.x[k][i];
    float product = 1.0f;
    for (int j = 0; j < terms.count; ++j) {
      if (j != k) product *= terms.x[j][i];
    }
    return product;
  }
};

/// Outputs y and, for the gradient, the number of the winner (i32). Caffe's ties (eltwise_layer.cu): of the first two
/// the second wins, a later one must be strictly larger.
struct EltwiseMax {
  Terms terms;
  float* y;
  int32_t* winner;

  explicit EltwiseMax(Prepare& step) : terms(step, 0, step.inputs()), y(step.out(0).f32()), winner(step.out(1).i32()) {
    step.expect(may_hold(step.out(0), terms.n) && may_hold(step.out(1), terms.n, DType::i32), "tensors of one size");
  }

  void run(const Launch& launch) const { for_each(launch, terms.n, *this); }

  __device__ void operator()(int64_t i) const {
    float most = terms.x[0][i];
    int32_t best = 0;
    for (int k = 1; k < terms.count; ++k) {
      const float x = terms.x[k][i];
      if (k == 1 ? most > x : !(x > most)) continue;
      most = x;
      best = k;
    }
    if (y) y[i] = most;
    if (winner) winner[i] = best;
  }
};

/// Inputs dy, winner; one output per term.
struct EltwiseMaxGrad {
  const float* dy;
  const int32_t* winner;
  int count;
  int64_t n;
  TermGradients to;

  explicit EltwiseMaxGrad(Prepare& step)
      : dy(step.in(0).f32()),
        winner(step.in(1).i32()),
        count(step.outputs()),
        n(step.in(0).size()),
        to(step, count, n) {
    step.expect(holds(step.in(0), n) && holds(step.in(1), n, DType::i32), "tensors of one size");
  }

  void run(const Launch& launch) const { for_each(launch, n, *this); }

  __device__ void operator()(int64_t i) const {
    const float d = dy[i];
    const int32_t best = winner[i];
    for (int k = 0; k < count; ++k) {
      if (to.dx[k]) to.dx[k][i] = k == best ? d : 0.0f;
    }
  }
};

/// x, random state (4 x i32) -> y; y may lie over x. The same kernel turns dy into dx: the run's random numbers, drawn
/// again, make the same mask.
struct Dropout {
  const float* x;
  const int32_t* state;
  float* y;
  int64_t n, stream;
  float scale;
  uint32_t dropped;  // random words below this drop their element

  explicit Dropout(Prepare& step)
      : x(step.in(0).f32()), state(step.in(1).i32()), y(step.out(0).f32()), n(step.in(0).size()) {
    stream = step.integer("stream");
    const double ratio = step.number("ratio");
    step.expect(ratio >= 0 && ratio < 1, "a ratio of at least 0 and below 1");
    step.expect(holds(step.in(0), n) && holds(step.out(0), n), "tensors of one size");
    step.expect(holds(step.in(1), 4, DType::i32), "a random state");
    scale = static_cast<float>(1.0 / (1.0 - ratio));
    dropped = static_cast<uint32_t>(ratio * 4294967295.0);
  }

  void run(const Launch& launch) const { for_each(launch, quads_of(n), *this); }

  __device__ void operator()(int64_t q) const {
    const Words words = RandomStream(state, stream).words(q);
    Quad v = load_quad(x, q, n);
    for (int j = 0; j < 4; ++j) v.v[j] = words.word[j] < dropped ? 0.0f : v.v[j] * scale;
    store_quad(y, q, n, v);
  }
};

}  // namespace

CORTADO_ELTWISE_KERNELS(CORTADO_DEFINE_KERNEL)

}  // namespace cortado::cuda
