// Losses of probabilities against labels: softmax loss, infogain loss (both after the softmax kernel) and the
// multinomial logistic loss. A label that names no class counts as one of probability 0 and sends no gradient back.
#pragma once

#include <float.h>

#include "../kernels/labels.h"
#include "chunks.h"
#include "elementwise.h"

namespace cortado::CORTADO_ISA {

/// Labels of (outer, inner) rows.
struct LabelRows {
  const float* label;
  ClassAxis shape;
  LabelRule rule;

  LabelRows(Prepare& step, const Tensor& x, const Tensor& labels) : label(labels.f32()), shape(step, x), rule(step) {
    step.expect(holds(labels, shape.rows()), "a label for every place");
  }

  int64_t valid() const {
    int64_t n = 0;
    for (int64_t row = 0; row < shape.rows(); ++row) n += rule.counts(label_of(label[row]));
    return n;
  }

  double divisor() const { return rule.divisor(valid(), shape.outer, shape.rows()); }

  /// The loss of the rows that count, f(row, label) each, divided as the rule says.
  template <class F>
  CORTADO_INLINE float mean(const Run& run, int64_t work, const F& f) const {
    double totals[1];
    chunked_sums<1>(run, shape.rows(), work, totals, [&](int64_t begin, int64_t end, double (&sums)[1]) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t k = label_of(label[row]);
        if (rule.counts(k)) sums[0] += f(row, k);
      }
    });
    return static_cast<float>(totals[0] / divisor());
  }

  /// Calls f(row, label, counts) for every row; rows are split among the threads.
  template <class F>
  CORTADO_INLINE void for_rows(const Run& run, const F& f) const {
    for_slices(run.threads, shape.rows(), grain_of(shape.classes), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t k = label_of(label[row]);
        f(row, k, rule.counts(k));
      }
    });
  }
};

/// -log p, p at least `least`.
CORTADO_INLINE double minus_log(float p, double least) {
  const auto value = static_cast<double>(p);
  return -log(value < least ? least : value);
}

/// prob, label -> loss: the mean of -log of the true class's probability (at least FLT_MIN).
struct SoftmaxLoss {
  const float* prob;
  float* loss;
  LabelRows rows;

  explicit SoftmaxLoss(Prepare& step)
      : prob(step.in(0).f32()), loss(step.out(0).f32()), rows(step, step.in(0), step.in(1)) {
    step.expect(holds(step.out(0), 1), "one loss");
    step.scratch(chunk_bytes<1>());
  }

  void run(const Run& run) const {
    const ClassAxis& s = rows.shape;
    *loss = rows.mean(run, 16, [&](int64_t row, int64_t k) {
      return minus_log(s.has(k) ? prob[s.at(row, k)] : 0.0f, static_cast<double>(FLT_MIN));
    });
  }
};

/// prob, label, dloss -> dx = (prob - 1 at the true class) dloss / divisor.
struct SoftmaxLossGrad {
  const float *prob, *dloss;
  float* dx;
  LabelRows rows;

  explicit SoftmaxLossGrad(Prepare& step)
      : prob(step.in(0).f32()), dloss(step.in(2).f32()), dx(step.out(0).f32()), rows(step, step.in(0), step.in(1)) {
    step.expect(holds(step.in(2), 1) && holds(step.out(0), step.in(0).size()), "gradients of the loss and the scores");
  }

  void run(const Run& run) const {
    const ClassAxis& s = rows.shape;
    const auto scale = static_cast<float>(static_cast<double>(*dloss) / rows.divisor());
    rows.for_rows(run, [&](int64_t row, int64_t k, bool counts) {
      const float factor = counts && s.has(k) ? scale : 0.0f;
      const int64_t first = s.at(row, 0);
      for (int64_t c = 0; c < s.classes; ++c) dx[first + c * s.inner] = factor * prob[first + c * s.inner];
      if (s.has(k)) dx[first + k * s.inner] = factor * (prob[first + k * s.inner] - 1.0f);
    });
  }
};

/// Caffe's least probability inside a logarithm (util/math_functions.hpp, kLOG_THRESHOLD).
constexpr double kLeastProbability = 1e-20;

CORTADO_INLINE void expect_matrix(Prepare& step, const ClassAxis& s) {
  step.expect(holds(step.in(2), s.classes * s.classes), "a matrix of classes");
}

/// prob, label, matrix (classes, classes) -> loss: the mean of -(sum over l of matrix(label, l) log prob(l)).
struct InfogainLoss {
  const float *prob, *matrix;
  float* loss;
  LabelRows rows;

  explicit InfogainLoss(Prepare& step)
      : prob(step.in(0).f32()), matrix(step.in(2).f32()), loss(step.out(0).f32()), rows(step, step.in(0), step.in(1)) {
    expect_matrix(step, rows.shape);
    step.expect(holds(step.out(0), 1), "one loss");
    step.scratch(chunk_bytes<1>());
  }

  void run(const Run& run) const {
    const ClassAxis& s = rows.shape;
    *loss = rows.mean(run, 16 * s.classes, [&](int64_t row, int64_t k) {
      if (!s.has(k)) return minus_log(0, kLeastProbability);
      double total = 0;
      for (int64_t l = 0; l < s.classes; ++l) {
        total += static_cast<double>(matrix[k * s.classes + l]) * minus_log(prob[s.at(row, l)], kLeastProbability);
      }
      return total;
    });
  }
};

/// prob, label, matrix, dloss -> dx = (prob * sum of the label's matrix row - that row) dloss / divisor.
struct InfogainLossGrad {
  const float *prob, *matrix, *dloss;
  float* dx;
  LabelRows rows;

  explicit InfogainLossGrad(Prepare& step)
      : prob(step.in(0).f32()),
        matrix(step.in(2).f32()),
        dloss(step.in(3).f32()),
        dx(step.out(0).f32()),
        rows(step, step.in(0), step.in(1)) {
    expect_matrix(step, rows.shape);
    step.expect(holds(step.in(3), 1) && holds(step.out(0), step.in(0).size()), "gradients of the loss and the scores");
  }

  void run(const Run& run) const {
    const ClassAxis& s = rows.shape;
    const auto scale = static_cast<float>(static_cast<double>(*dloss) / rows.divisor());
    rows.for_rows(run, [&](int64_t row, int64_t k, bool counts) {
      const int64_t first = s.at(row, 0);
      const bool flows = counts && s.has(k);
      const float* gains = matrix + (flows ? k * s.classes : 0);
      double total = 0;
      for (int64_t l = 0; flows && l < s.classes; ++l) total += static_cast<double>(gains[l]);
      for (int64_t l = 0; l < s.classes; ++l) {
        const int64_t at = first + l * s.inner;
        dx[at] = flows ? scale * (prob[at] * static_cast<float>(total) - gains[l]) : 0.0f;
      }
    });
  }
};

/// Probabilities, one row of `classes` per label: multinomial_logistic_loss_layer.cpp.
struct MultinomialLoss {
  const float *prob, *label;
  float* loss;
  int64_t rows, classes;

  explicit MultinomialLoss(Prepare& step)
      : prob(step.in(0).f32()),
        label(step.in(1).f32()),
        loss(step.out(0).f32()),
        rows(rows_with_labels(step)),
        classes(step.in(0).size() / rows) {
    step.expect(holds(step.out(0), 1), "one loss");
    step.scratch(chunk_bytes<1>());
  }

  void run(const Run& run) const {
    double totals[1];
    chunked_sums<1>(run, rows, 16, totals, [&](int64_t begin, int64_t end, double (&sums)[1]) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t k = label_of(label[row]);
        sums[0] += minus_log(k >= 0 && k < classes ? prob[row * classes + k] : 0.0f, kLeastProbability);
      }
    });
    *loss = static_cast<float>(totals[0] / static_cast<double>(rows));
  }
};

/// prob, label, dloss -> dx = -dloss / (rows * probability) at the true class, else 0.
struct MultinomialLossGrad {
  const float *prob, *label, *dloss;
  float* dx;
  int64_t rows, classes;

  explicit MultinomialLossGrad(Prepare& step)
      : prob(step.in(0).f32()),
        label(step.in(1).f32()),
        dloss(step.in(2).f32()),
        dx(step.out(0).f32()),
        rows(rows_with_labels(step)),
        classes(step.in(0).size() / rows) {
    step.expect(holds(step.in(2), 1) && holds(step.out(0), step.in(0).size()), "gradients of the loss and its input");
  }

  void run(const Run& run) const {
    const float scale = -*dloss / static_cast<float>(rows);
    for_slices(run.threads, rows, grain_of(classes), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        float* to = dx + row * classes;
        memset(to, 0, static_cast<size_t>(classes) * sizeof(float));
        const int64_t k = label_of(label[row]);
        if (k < 0 || k >= classes) continue;
        const float p = prob[row * classes + k], least = static_cast<float>(kLeastProbability);
        to[k] = scale / (p > least ? p : least);
      }
    });
  }
};

}  // namespace cortado::CORTADO_ISA
