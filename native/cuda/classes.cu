// Scores of classes: softmax, accuracy, argmax, and the losses that compare probabilities or scores with labels.
#include <float.h>

#include "../kernels/channels.h"
#include "../kernels/functions.h"
#include "../kernels/labels.h"
#include "index.h"
#include "numbers.h"
#include "sums.h"
#include "table.h"

namespace cortado::cuda {

namespace {

/// Whether a block does the classes of each row, or a thread: only of so many rows that they fill a GPU, and whose
/// neighbours lie beside them in memory.
inline bool by_blocks(int64_t inner, int64_t rows) { return inner == 1 || rows < 16384; }
inline bool by_blocks(const ClassAxis& shape) { return by_blocks(shape.inner, shape.rows()); }

template <class S>
struct SoftmaxRows {
  S s;
  __device__ void operator()(int64_t row) const {
    const int64_t first = s.shape.at(row, threadIdx.x), end = s.shape.at(row, s.shape.classes),
                  pitch = kBlock * s.shape.inner;
    float peak = -HUGE_VALF, total = 0;
    for (int64_t i = first; i < end; i += pitch) peak = s.x[i] > peak ? s.x[i] : peak;
    peak = over_block(peak, Larger());
    for (int64_t i = first; i < end; i += pitch) total += s.y[i] = exponential(s.x[i] - peak);
    total = over_block(total, Add());
    for (int64_t i = first; i < end; i += pitch) s.y[i] /= total;
  }
};

/// Softmax along one axis.
struct Softmax {
  const float* x;
  float* y;
  ClassAxis shape;

  explicit Softmax(Prepare& step) : x(step.in(0).f32()), y(step.out(0).f32()), shape(step, step.in(0)) {
    step.expect(holds(step.out(0), step.in(0).size()), "tensors of one size");
  }
  void run(const Launch& launch) const {
    if (by_blocks(shape)) return for_blocks(launch, shape.rows(), SoftmaxRows<Softmax>{*this});
    for_each(launch, shape.rows(), *this);
  }
  __device__ void operator()(int64_t place) const {
    const int64_t first = shape.at(place, 0), pitch = shape.inner;
    float peak = -HUGE_VALF, total = 0;
    for (int64_t c = 0; c < shape.classes; ++c) peak = x[first + c * pitch] > peak ? x[first + c * pitch] : peak;
    for (int64_t c = 0; c < shape.classes; ++c)
      total += y[first + c * pitch] = exponential(x[first + c * pitch] - peak);
    for (int64_t c = 0; c < shape.classes; ++c) y[first + c * pitch] /= total;
  }
};

template <class S>
struct SoftmaxGradRows {
  S s;
  __device__ void operator()(int64_t row) const {
    const int64_t first = s.shape.at(row, threadIdx.x), end = s.shape.at(row, s.shape.classes),
                  pitch = kBlock * s.shape.inner;
    float mean = 0;
    for (int64_t i = first; i < end; i += pitch) mean += s.dy[i] * s.y[i];
    mean = over_block(mean, Add());
    for (int64_t i = first; i < end; i += pitch) s.dx[i] = s.y[i] * (s.dy[i] - mean);
  }
};

/// dy, y -> dx = y (dy - sum of dy y).
struct SoftmaxGrad {
  const float *dy, *y;
  float* dx;
  ClassAxis shape;

  explicit SoftmaxGrad(Prepare& step)
      : dy(step.in(0).f32()), y(step.in(1).f32()), dx(step.out(0).f32()), shape(step, step.in(0)) {
    const int64_t n = step.in(0).size();
    step.expect(holds(step.in(1), n) && holds(step.out(0), n), "tensors of one size");
  }
  void run(const Launch& launch) const {
    if (by_blocks(shape)) return for_blocks(launch, shape.rows(), SoftmaxGradRows<SoftmaxGrad>{*this});
    for_each(launch, shape.rows(), *this);
  }
  __device__ void operator()(int64_t place) const {
    const int64_t first = shape.at(place, 0), end = first + shape.classes * shape.inner;
    float mean = 0;
    for (int64_t i = first; i < end; i += shape.inner) mean += dy[i] * y[i];
    for (int64_t i = first; i < end; i += shape.inner) dx[i] = y[i] * (dy[i] - mean);
  }
};

/// The share of all rows.
template <class S>
struct AllRows {
  S s;
  __device__ void term(int64_t, int64_t row, double (&sums)[2]) const {
    if (s.ignores && label_of(s.label[row]) == s.ignored) return;
    sums[0] += 1;
    sums[1] += s.right[row];
  }
  __device__ void done(int64_t, const double (&sums)[2]) const {
    *s.accuracy = sums[0] == 0 ? 0.0f : static_cast<float>(sums[1] / sums[0]);
  }
};

/// The share of each class.
template <class S>
struct RowsOfClass {
  S s;
  __device__ void term(int64_t k, int64_t row, double (&sums)[2]) const {
    const int64_t its = label_of(s.label[row]);
    if (its != k || (s.ignores && its == s.ignored)) return;
    sums[0] += 1;
    sums[1] += s.right[row];
  }
  __device__ void done(int64_t k, const double (&sums)[2]) const {
    s.per_class[k] = sums[0] == 0 ? 0.0f : static_cast<float>(sums[1]) / static_cast<float>(sums[0]);
  }
};

template <class S>
struct InTopOfRows {
  S s;
  __device__ void operator()(int64_t row) const {
    const int64_t better = over_block(s.better(row, threadIdx.x, kBlock), Add());
    if (threadIdx.x == 0) s.right[row] = s.in_top(row, better);
  }
};

/// scores, label -> share of rows whose true class is among the top k, and the same for each class. Ties count against
/// the true class, and so does a NaN; a label that names no class is wrong. Scratch: one verdict a row behind the sums.
struct Accuracy {
  const float *scores, *label;
  float *accuracy, *per_class;
  ClassAxis shape;
  int64_t top_k, ignored = 0;
  bool ignores;
  uint8_t* right = nullptr;

  explicit Accuracy(Prepare& step) : scores(step.in(0).f32()), label(step.in(1).f32()), shape(step, step.in(0)) {
    accuracy = step.out(0).f32();
    per_class = step.out(1).f32();
    top_k = step.integer("topK");
    step.expect(holds(step.in(1), shape.rows()) && may_hold(step.out(0), 1) && may_hold(step.out(1), shape.classes),
                "a label for every place, one share and one for every class");
    double value[1] = {};
    ignores = step.list("ignoreLabel", value, 1) == 1;
    ignored = static_cast<int64_t>(value[0]);
    step.scratch(offset() + static_cast<size_t>(shape.rows()));
  }
  void run(const Launch& launch) const {
    Accuracy s = *this;
    s.right = static_cast<uint8_t*>(launch.scratch) + offset();
    if (by_blocks(shape)) {
      for_blocks(launch, shape.rows(), InTopOfRows<Accuracy>{s});
    } else {
      for_each(launch, shape.rows(), s);
    }
    if (accuracy) sum_rows<2>(launch, 1, shape.rows(), launch.scratch, AllRows<Accuracy>{s});
    if (per_class) sum_rows<2>(launch, shape.classes, shape.rows(), launch.scratch, RowsOfClass<Accuracy>{s});
  }
  __device__ void operator()(int64_t row) const { right[row] = in_top(row, better(row, 0, 1)); }
  /// Classes not below the true one, itself among them: of every `pitch`th from `first` on.
  __device__ int64_t better(int64_t row, int64_t first, int64_t pitch) const {
    const int64_t k = label_of(label[row]);
    if (!shape.has(k)) return 0;
    const float own = scores[shape.at(row, k)];
    int64_t count = 0;
    for (int64_t c = first; c < shape.classes; c += pitch) count += !(scores[shape.at(row, c)] < own);
    return count;
  }
  __device__ bool in_top(int64_t row, int64_t better) const {
    return shape.has(label_of(label[row])) && better <= top_k;
  }

 private:
  size_t offset() const {
    const size_t all = sums_bytes<2>(1, shape.rows()), each = sums_bytes<2>(shape.classes, shape.rows());
    return all > each ? all : each;
  }
};

/// Where an element stands in the order of its row, as one number: by its value, of equal ones the last first, NaN
/// below every number. Never 0.
__device__ inline uint64_t standing(float v, int64_t place) {
  const uint32_t bits = bits_of(v + 0.0f);  // 0 and -0 are equal
  const uint32_t value = v != v ? 0 : (bits >> 31 ? ~bits : bits | 0x80000000);
  return (uint64_t{value} << 32) + static_cast<uint64_t>(place) + 1;
}
struct LargerStanding {
  __device__ uint64_t operator()(uint64_t a, uint64_t b) const { return a > b ? a : b; }
};

template <class S>
struct ArgmaxRows {
  S s;
  __device__ void operator()(int64_t row) const {
    uint64_t last = ~uint64_t{0};
    for (int64_t i = 0; i < s.k; ++i) {
      last = over_block(s.behind(row, last, threadIdx.x, kBlock), LargerStanding());
      if (threadIdx.x == 0) s.put(row, i, last);
    }
  }
};

/// Indices, values or both (in this order) of the k largest along some axes of x, the classes: Caffe's ArgMax. Of equal
/// elements the last comes first; NaN is below every number.
struct Argmax {
  const float* x;
  float* y;
  Channels shape;
  int64_t k, indices, values;

  explicit Argmax(Prepare& step)
      : x(step.in(0).f32()), y(step.out(0).f32()), shape(channels_along(step, step.in(0))), k(step.integer("topK")) {
    indices = step.integer("indices");
    values = step.integer("values");
    step.expect(k > 0 && k <= shape.channels, "a rank among the classes");
    step.expect((indices | values) == 1, "indices, values or both");
    step.expect(holds(step.out(0), shape.each() * k * (indices + values)), "places for what is found");
  }
  void run(const Launch& launch) const {
    if (by_blocks(shape.inner, shape.each())) return for_blocks(launch, shape.each(), ArgmaxRows<Argmax>{*this});
    for_each(launch, shape.each(), *this);
  }
  __device__ void operator()(int64_t row) const {
    uint64_t last = ~uint64_t{0};
    for (int64_t i = 0; i < k; ++i) put(row, i, last = behind(row, last, 0, 1));
  }
  /// The next one behind `last` in a row, of every `pitch`th from `first` on; 0 where none is.
  __device__ uint64_t behind(int64_t row, uint64_t last, int64_t first, int64_t pitch) const {
    const float* from = x + row / shape.inner * shape.channels * shape.inner + row % shape.inner;
    uint64_t best = 0;
    for (int64_t c = first; c < shape.channels; c += pitch) {
      const uint64_t own = standing(from[c * shape.inner], c);
      if (own < last && own > best) best = own;
    }
    return best;
  }
  __device__ void put(int64_t row, int64_t i, uint64_t standing) const {
    const int64_t inner = shape.inner, outer = row / inner, c = static_cast<uint32_t>(standing) - 1;
    float* to = y + outer * (indices + values) * k * inner + row % inner;
    if (indices) to[i * inner] = static_cast<float>(c);
    if (values) to[(indices ? k + i : i) * inner] = x[(outer * shape.channels + c) * inner + row % inner];
  }
};

/// Labels of (outer, inner) rows. Losses add up the terms of rows that count, and count those rows, in one pass.
struct LabelRows {
  const float* label;
  ClassAxis shape;
  LabelRule rule;

  LabelRows(Prepare& step, const Tensor& x, const Tensor& labels) : label(labels.f32()), shape(step, x), rule(step) {
    step.expect(holds(labels, shape.rows()), "a label for every place");
    step.scratch(sums_bytes<2>(1, shape.rows()) + sizeof(double));
  }
  /// Whether the divisor follows from the labels, and not from the extents alone.
  bool counted() const { return rule.ignores && rule.normalize == Normalize::valid; }
  __device__ double divisor(double valid) const {
    return rule.divisor(static_cast<int64_t>(valid), shape.outer, shape.rows());
  }
};

/// Where an element of scores is: the number of its row among the labels, and its class.
template <class I>
class Scores {
 public:
  explicit Scores(const ClassAxis& shape)
      : classes_(static_cast<I>(shape.classes)),
        inner_(static_cast<I>(shape.inner)),
        by_classes_(shape.classes),
        by_inner_(shape.inner) {}
  struct Place {
    I row, k;
  };
  __device__ Place at(I i) const {
    const I line = by_inner_(i), outer = by_classes_(line);
    return {outer * inner_ + i - line * inner_, line - outer * classes_};
  }

 private:
  I classes_, inner_;
  Divisor<I> by_classes_, by_inner_;
};

/// -log p, p at least `least`.
__device__ inline double minus_log(float p, double least) {
  const auto value = static_cast<double>(p);
  return -log(value < least ? least : value);
}

/// Caffe's least probability inside a logarithm (util/math_functions.hpp, kLOG_THRESHOLD).
constexpr double kLeastProbability = 1e-20;

/// prob, label[, matrix] -> loss.
struct LabelLoss {
  const float* prob;
  float* loss;
  LabelRows rows;

  explicit LabelLoss(Prepare& step)
      : prob(step.in(0).f32()), loss(step.out(0).f32()), rows(step, step.in(0), step.in(1)) {
    step.expect(holds(step.out(0), 1), "one loss");
  }
  __device__ void done(int64_t, const double (&sums)[2]) const {
    *loss = static_cast<float>(sums[0] / rows.divisor(sums[1]));
  }
};

/// The mean of -log of the true class's probability (at least FLT_MIN).
struct SoftmaxLoss : LabelLoss {
  using LabelLoss::LabelLoss;
  void run(const Launch& launch) const { sum_rows<2>(launch, 1, rows.shape.rows(), launch.scratch, *this); }
  __device__ void term(int64_t, int64_t row, double (&sums)[2]) const {
    const int64_t k = label_of(rows.label[row]);
    if (!rows.rule.counts(k)) return;
    sums[0] += minus_log(rows.shape.has(k) ? prob[rows.shape.at(row, k)] : 0.0f, static_cast<double>(FLT_MIN));
    sums[1] += 1;
  }
};

inline void expect_matrix(Prepare& step, const ClassAxis& s) {
  step.expect(holds(step.in(2), s.classes * s.classes), "a matrix of classes");
}

/// A term of each probability; a row counts with its first.
template <class S, class I>
struct InfogainTerms {
  S s;
  Scores<I> scores;

  __device__ void term(int64_t, int64_t i, double (&sums)[2]) const {
    const auto at = scores.at(static_cast<I>(i));
    const int64_t k = label_of(s.rows.label[at.row]);
    if (!s.rows.rule.counts(k)) return;
    sums[1] += at.k == 0;
    if (s.rows.shape.has(k)) {
      const float gain = s.matrix[k * s.rows.shape.classes + at.k];
      sums[0] += static_cast<double>(gain) * minus_log(s.prob[i], kLeastProbability);
    } else if (at.k == 0) {
      sums[0] += minus_log(0, kLeastProbability);
    }
  }
  __device__ void done(int64_t row, const double (&sums)[2]) const { s.done(row, sums); }
};

/// The mean of -(sum over l of matrix(label, l) log prob(l)); the matrix is (classes, classes).
struct InfogainLoss : LabelLoss {
  const float* matrix;

  explicit InfogainLoss(Prepare& step) : LabelLoss(step), matrix(step.in(2).f32()) {
    expect_matrix(step, rows.shape);
    step.scratch(sums_bytes<2>(1, step.in(0).size()));
  }
  void run(const Launch& launch) const {
    const int64_t n = rows.shape.rows() * rows.shape.classes;
    with_index(n, [&](auto index) {
      using I = decltype(index);
      sum_rows<2>(launch, 1, n, launch.scratch, InfogainTerms<InfogainLoss, I>{*this, Scores<I>(rows.shape)});
    });
  }
};

template <class D, class T, class I>
struct Slopes {
  D s;
  T* dx;
  Scores<I> scores;

  __device__ void operator()(I i) const {
    const auto at = scores.at(i);
    const int64_t k = label_of(s.rows.label[at.row]);
    dx[i] = narrow<T>(s.rows.rule.counts(k) && s.rows.shape.has(k) ? s.scale() * s.slope(i, at.k, k) : 0.0f);
  }
};

/// prob, label[, matrix], dloss -> dx. D has slope(element, its class, label) of the rows that count; the labels are
/// counted first, where the divisor depends on it. dx may be of 16 bits.
template <class D>
struct LabelLossGrad {
  const float *prob, *dloss;
  Tensor dx;
  double* valid = nullptr;
  LabelRows rows;

  LabelLossGrad(Prepare& step, int weight)
      : prob(step.in(0).f32()), dloss(step.in(weight).f32()), dx(step.out(0)), rows(step, step.in(0), step.in(1)) {
    step.expect(holds(step.in(weight), 1) && holds_numbers(dx, step.in(0).size()),
                "gradients of the loss and the scores");
  }
  void run(const Launch& launch) const {
    D s = *static_cast<const D*>(this);
    const int64_t labels = rows.shape.rows(), n = labels * rows.shape.classes;
    if (rows.counted()) {
      s.valid = reinterpret_cast<double*>(static_cast<uint8_t*>(launch.scratch) + sums_bytes<2>(1, labels));
      sum_rows<1>(launch, 1, labels, launch.scratch, s);
    }
    with_numbers(dx.dtype, [&](auto number) {
      with_index(n, [&](auto index) {
        using T = decltype(number);
        using I = decltype(index);
        for_each<I>(launch, n, Slopes<D, T, I>{s, numbers_to<T>(dx), Scores<I>(rows.shape)});
      });
    });
  }
  __device__ void term(int64_t, int64_t row, double (&sums)[1]) const {
    sums[0] += rows.rule.counts(label_of(rows.label[row]));
  }
  __device__ void done(int64_t, const double (&sums)[1]) const { *valid = sums[0]; }
  __device__ float scale() const {
    return *dloss / static_cast<float>(rows.divisor(valid ? *valid : static_cast<double>(rows.shape.rows())));
  }
};

/// dx = (prob - 1 at the true class) dloss / divisor.
struct SoftmaxLossGrad : LabelLossGrad<SoftmaxLossGrad> {
  explicit SoftmaxLossGrad(Prepare& step) : LabelLossGrad(step, 2) {}
  __device__ float slope(int64_t i, int64_t c, int64_t k) const { return c == k ? prob[i] - 1.0f : prob[i]; }
};

/// The sums of the rows of a matrix.
struct RowTotals {
  const float* matrix;
  int64_t classes;
  float* to;
  __device__ void term(int64_t row, int64_t i, double (&sums)[1]) const {
    sums[0] += static_cast<double>(matrix[row * classes + i]);
  }
  __device__ void done(int64_t row, const double (&sums)[1]) const { to[row] = static_cast<float>(sums[0]); }
};

/// dx = (prob * sum of the label's matrix row - that row) dloss / divisor. Scratch: those sums behind the others.
struct InfogainLossGrad : LabelLossGrad<InfogainLossGrad> {
  const float *matrix, *totals = nullptr;

  explicit InfogainLossGrad(Prepare& step) : LabelLossGrad(step, 3), matrix(step.in(2).f32()) {
    expect_matrix(step, rows.shape);
    step.scratch(totals_at() + static_cast<size_t>(rows.shape.classes) * sizeof(float));
  }
  void run(const Launch& launch) const {
    const int64_t classes = rows.shape.classes;
    InfogainLossGrad s = *this;
    auto* const to = reinterpret_cast<float*>(static_cast<uint8_t*>(launch.scratch) + totals_at());
    sum_rows<1>(launch, classes, classes, launch.scratch, RowTotals{matrix, classes, to});
    s.totals = to;
    s.LabelLossGrad::run(launch);
  }
  __device__ float slope(int64_t i, int64_t c, int64_t k) const {
    return prob[i] * totals[k] - matrix[k * rows.shape.classes + c];
  }

 private:
  size_t totals_at() const {
    const size_t counts = sums_bytes<2>(1, rows.shape.rows()) + sizeof(double),
                 sums = sums_bytes<1>(rows.shape.classes, rows.shape.classes);
    return counts > sums ? counts : sums;
  }
};

}  // namespace

CORTADO_CLASS_KERNELS(CORTADO_DEFINE_KERNEL)

}  // namespace cortado::cuda
