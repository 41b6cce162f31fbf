// Losses that compare elements or rows. Each is a scalar; the gradients are multiplied by dloss, which holds its
// weight.
#include "../kernels/functions.h"
#include "../kernels/labels.h"
#include "../kernels/pairs.h"
#include "sums.h"
#include "table.h"

namespace cortado::cuda {

namespace {

/// Adds `items` terms up to one loss. D has cost(item), and divisor() of their sum.
template <class D>
struct MeanLoss {
  float* loss;

  MeanLoss(Prepare& step, int64_t items) : loss(step.out(0).f32()) {
    step.expect(holds(step.out(0), 1), "one loss");
    step.scratch(sums_bytes<1>(1, items));
  }
  void add_up(const Launch& launch, int64_t items) const {
    sum_rows<1>(launch, 1, items, launch.scratch, *static_cast<const D*>(this));
  }
  __device__ void term(int64_t, int64_t i, double (&sums)[1]) const { sums[0] += static_cast<const D*>(this)->cost(i); }
  __device__ void done(int64_t, const double (&sums)[1]) const {
    *loss = static_cast<float>(sums[0] / static_cast<const D*>(this)->divisor());
  }
};

/// a, b -> sum of (a - b)^2 / (2 rows).
struct EuclideanLoss : MeanLoss<EuclideanLoss> {
  const float *a, *b;
  int64_t n, rows;

  explicit EuclideanLoss(Prepare& step)
      : MeanLoss(step, step.in(0).size()), a(step.in(0).f32()), b(step.in(1).f32()), n(step.in(0).size()) {
    rows = rows_of_pairs(step);
  }
  void run(const Launch& launch) const { add_up(launch, n); }
  __device__ double cost(int64_t i) const {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    return d * d;
  }
  __device__ double divisor() const { return static_cast<double>(2 * rows); }
};

/// a, b, dloss -> da = (a - b) dloss / rows, db = -da.
struct EuclideanLossGrad {
  const float *a, *b, *dloss;
  float *da, *db;
  int64_t n, rows;

  explicit EuclideanLossGrad(Prepare& step)
      : a(step.in(0).f32()), b(step.in(1).f32()), dloss(step.in(2).f32()), n(step.in(0).size()) {
    da = step.out(0).f32();
    db = step.out(1).f32();
    rows = rows_of_pairs(step);
    step.expect(may_hold(step.out(0), n) && may_hold(step.out(1), n) && holds(step.in(2), 1),
                "gradients of the loss and its inputs");
  }
  void run(const Launch& launch) const { for_each(launch, n, *this); }
  __device__ void operator()(int64_t i) const {
    const float d = *dloss / static_cast<float>(rows) * (a[i] - b[i]);
    if (da) da[i] = d;
    if (db) db[i] = -d;
  }
};

/// What sigmoid cross-entropy and its gradient read.
struct SigmoidTargets {
  const float *x, *target;
  int64_t n, batch;
  LabelRule rule;

  explicit SigmoidTargets(Prepare& step)
      : x(step.in(0).f32()), target(step.in(1).f32()), n(step.in(0).size()), batch(rows_of_pairs(step)), rule(step) {
    step.scratch(sums_bytes<2>(1, n) + sizeof(double));
  }
  __device__ bool counts(int64_t i) const { return !rule.ignores || rule.counts(label_of(target[i])); }
  __device__ double divisor(double valid) const { return rule.divisor(static_cast<int64_t>(valid), batch, n); }
};

/// x, target -> mean of -(t log sigmoid(x) + (1 - t) log(1 - sigmoid(x))), written so that nothing overflows.
struct SigmoidCrossEntropyLoss {
  SigmoidTargets in;
  float* loss;

  explicit SigmoidCrossEntropyLoss(Prepare& step) : in(step), loss(step.out(0).f32()) {
    step.expect(holds(step.out(0), 1), "one loss");
  }
  void run(const Launch& launch) const { sum_rows<2>(launch, 1, in.n, launch.scratch, *this); }
  __device__ void term(int64_t, int64_t i, double (&sums)[2]) const {
    if (!in.counts(i)) return;
    const float x = in.x[i], above = x >= 0.0f ? 1.0f : 0.0f;
    const float tail = logarithm_1p(exponential(x >= 0.0f ? -x : x));
    sums[0] += static_cast<double>(tail) - static_cast<double>(x) * static_cast<double>(in.target[i] - above);
    sums[1] += 1;
  }
  __device__ void done(int64_t, const double (&sums)[2]) const {
    *loss = static_cast<float>(sums[0] / in.divisor(sums[1]));
  }
};

/// x, target, dloss -> dx = (sigmoid(x) - target) dloss / divisor; 0 where the target is ignored.
struct SigmoidCrossEntropyLossGrad {
  SigmoidTargets in;
  const float* dloss;
  float *dx, *scale = nullptr;

  explicit SigmoidCrossEntropyLossGrad(Prepare& step) : in(step), dloss(step.in(2).f32()), dx(step.out(0).f32()) {
    step.expect(holds(step.in(2), 1) && holds(step.out(0), in.n), "gradients of the loss and its input");
  }
  void run(const Launch& launch) const {
    SigmoidCrossEntropyLossGrad s = *this;
    s.scale = reinterpret_cast<float*>(static_cast<uint8_t*>(launch.scratch) + sums_bytes<2>(1, in.n));
    sum_rows<1>(launch, 1, in.n, launch.scratch, s);
    for_each(launch, in.n, s);
  }
  __device__ void term(int64_t, int64_t i, double (&sums)[1]) const { sums[0] += in.counts(i); }
  __device__ void done(int64_t, const double (&sums)[1]) const {
    *scale = static_cast<float>(static_cast<double>(*dloss) / in.divisor(sums[0]));
  }
  __device__ void operator()(int64_t i) const {
    dx[i] = in.counts(i) ? *scale * (logistic(in.x[i]) - in.target[i]) : 0.0f;
  }
};

/// Rows of one number for each class, and a label for each row.
struct LabelledRows {
  const float *x, *label;
  int64_t rows, classes;

  explicit LabelledRows(Prepare& step)
      : x(step.in(0).f32()), label(step.in(1).f32()), rows(rows_with_labels(step)), classes(step.in(0).size() / rows) {}
  /// Element i's class, and the one that its row's label names.
  __device__ int64_t class_of(int64_t i) const { return i % classes; }
  __device__ int64_t named(int64_t i) const { return label_of(label[i / classes]); }
};

/// What a gradient of those goes to.
struct LabelledGradient {
  const float* dloss;
  float* dx;

  LabelledGradient(Prepare& step) : dloss(step.in(2).f32()), dx(step.out(0).f32()) {
    step.expect(holds(step.in(2), 1) && holds(step.out(0), step.in(0).size()), "gradients of the loss and its input");
  }
};

/// x (rows, classes), label -> mean over rows of the sum of max(0, 1 - x) at the true class and max(0, 1 + x)
/// elsewhere, each squared for L2. A label that names no class leaves all of them elsewhere.
struct HingeLoss : MeanLoss<HingeLoss> {
  LabelledRows in;
  int64_t squared;

  explicit HingeLoss(Prepare& step) : MeanLoss(step, step.in(0).size()), in(step), squared(step.integer("squared")) {}
  void run(const Launch& launch) const { add_up(launch, in.rows * in.classes); }
  __device__ double cost(int64_t i) const {
    const auto v = static_cast<double>(in.x[i]);
    const double margin = in.class_of(i) == in.named(i) ? 1 - v : 1 + v;
    return margin > 0 ? (squared ? margin * margin : margin) : 0;
  }
  __device__ double divisor() const { return static_cast<double>(in.rows); }
};

/// x, label, dloss -> dx.
struct HingeLossGrad {
  LabelledRows in;
  LabelledGradient to;
  int64_t squared;

  explicit HingeLossGrad(Prepare& step) : in(step), to(step), squared(step.integer("squared")) {}
  void run(const Launch& launch) const { for_each(launch, in.rows * in.classes, *this); }
  __device__ void operator()(int64_t i) const {
    const float scale = *to.dloss / static_cast<float>(in.rows);
    const float sign = in.class_of(i) == in.named(i) ? -1.0f : 1.0f;
    const float margin = 1.0f + sign * in.x[i];
    to.dx[i] = scale * sign * (margin > 0.0f ? (squared ? 2.0f * margin : 1.0f) : 0.0f);
  }
};

/// Caffe's least probability inside a logarithm (util/math_functions.hpp, kLOG_THRESHOLD).
constexpr double kLeastProbability = 1e-20;

/// Probabilities, one row of `classes` per label: multinomial_logistic_loss_layer.cpp.
struct MultinomialLoss : MeanLoss<MultinomialLoss> {
  LabelledRows in;

  explicit MultinomialLoss(Prepare& step) : MeanLoss(step, step.in(0).size()), in(step) {}
  void run(const Launch& launch) const { add_up(launch, in.rows); }
  __device__ double cost(int64_t row) const {
    const int64_t k = label_of(in.label[row]);
    const double p = k >= 0 && k < in.classes ? static_cast<double>(in.x[row * in.classes + k]) : 0.0;
    return -log(p < kLeastProbability ? kLeastProbability : p);
  }
  __device__ double divisor() const { return static_cast<double>(in.rows); }
};

/// prob, label, dloss -> dx = -dloss / (rows * probability) at the true class, else 0.
struct MultinomialLossGrad {
  LabelledRows in;
  LabelledGradient to;

  explicit MultinomialLossGrad(Prepare& step) : in(step), to(step) {}
  void run(const Launch& launch) const { for_each(launch, in.rows * in.classes, *this); }
  __device__ void operator()(int64_t i) const {
    const float scale = -*to.dloss / static_cast<float>(in.rows), p = in.x[i];
    const float least = static_cast<float>(kLeastProbability);
    to.dx[i] = in.class_of(i) == in.named(i) ? scale / (p > least ? p : least) : 0.0f;
  }
};

/// The squared distance of each pair, to s.measured(row, squared).
template <class S>
struct Distances {
  S s;
  __device__ void term(int64_t row, int64_t i, double (&sums)[1]) const {
    sums[0] += s.pairs.squared_difference(row * s.pairs.width + i);
  }
  __device__ void done(int64_t row, const double (&sums)[1]) const { s.measured(row, sums[0]); }
};

/// Pairs with a number for each of them in scratch memory, behind the sums.
struct MeasuredPairs {
  Pairs pairs;
  double* of_pair = nullptr;

  explicit MeasuredPairs(Prepare& step) : pairs(step) {
    step.scratch(offset() + static_cast<size_t>(pairs.rows) * sizeof(double));
  }
  template <class S>
  void measure(const Launch& launch, S& s) const {
    s.of_pair = reinterpret_cast<double*>(static_cast<uint8_t*>(launch.scratch) + offset());
    sum_rows<1>(launch, pairs.rows, pairs.width, launch.scratch, Distances<S>{s});
  }

 private:
  size_t offset() const {
    const size_t distances = sums_bytes<1>(pairs.rows, pairs.width), total = sums_bytes<1>(1, pairs.rows);
    return distances > total ? distances : total;
  }
};

/// a, b, similar -> sum over pairs of d^2, or of max(0, margin - d)^2 (legacy: max(0, margin - d^2)) for dissimilar
/// ones, divided by 2 rows.
struct ContrastiveLoss : MeanLoss<ContrastiveLoss>, MeasuredPairs {
  explicit ContrastiveLoss(Prepare& step) : MeanLoss(step, step.in(0).size()), MeasuredPairs(step) {}
  void run(const Launch& launch) const {
    ContrastiveLoss s = *this;
    measure(launch, s);
    s.add_up(launch, pairs.rows);
  }
  __device__ void measured(int64_t row, double squared) const { of_pair[row] = pairs.term(row, squared); }
  __device__ double cost(int64_t row) const { return of_pair[row]; }
  __device__ double divisor() const { return static_cast<double>(2 * pairs.rows); }
};

/// a, b, similar, dloss -> da, db = -da.
struct ContrastiveLossGrad : MeasuredPairs {
  const float* dloss;
  float *da, *db;

  explicit ContrastiveLossGrad(Prepare& step) : MeasuredPairs(step), dloss(step.in(3).f32()) {
    da = step.out(0).f32();
    db = step.out(1).f32();
    const int64_t n = pairs.rows * pairs.width;
    step.expect(may_hold(step.out(0), n) && may_hold(step.out(1), n) && holds(step.in(3), 1),
                "gradients of the loss and its inputs");
  }
  void run(const Launch& launch) const {
    ContrastiveLossGrad s = *this;
    measure(launch, s);
    for_each(launch, pairs.rows * pairs.width, s);
  }
  __device__ void measured(int64_t row, double squared) const {
    of_pair[row] = static_cast<double>(*dloss) / static_cast<double>(pairs.rows) * pairs.slope(row, squared);
  }
  __device__ void operator()(int64_t i) const {
    const float d = static_cast<float>(of_pair[i / pairs.width]) * (pairs.a[i] - pairs.b[i]);
    if (da) da[i] = d;
    if (db) db[i] = -d;
  }
};

}  // namespace

CORTADO_LOSS_KERNELS(CORTADO_DEFINE_KERNEL)

}  // namespace cortado::cuda
