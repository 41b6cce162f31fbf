// Losses that compare elements or rows: Euclidean, sigmoid cross-entropy, hinge and contrastive. Each loss is a scalar;
// the gradients are multiplied by dloss, which holds its weight.
#pragma once

#include "../kernels/functions.h"
#include "../kernels/labels.h"
#include "chunks.h"
#include "elementwise.h"

namespace cortado::CORTADO_ISA {

/// a, b -> sum of (a - b)^2 / (2 rows).
struct EuclideanLoss {
  const float *a, *b;
  float* loss;
  int64_t n, rows;

  explicit EuclideanLoss(Prepare& step)
      : a(step.in(0).f32()),
        b(step.in(1).f32()),
        loss(step.out(0).f32()),
        n(step.in(0).size()),
        rows(rows_of_pairs(step)) {
    step.expect(holds(step.out(0), 1), "one loss");
    step.scratch(chunk_bytes<1>());
  }

  void run(const Run& run) const {
    double totals[1];
    chunked_sums<1>(run, n, 1, totals, [&](int64_t begin, int64_t end, double (&sums)[1]) {
      for (int64_t i = begin; i < end; ++i) {
        const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
        sums[0] += d * d;
      }
    });
    *loss = static_cast<float>(totals[0] / static_cast<double>(2 * rows));
  }
};

/// a, b, dloss -> da = (a - b) dloss / rows, db = -da.
struct EuclideanLossGrad {
  const float *a, *b, *dloss;
  float *da, *db;
  int64_t n, rows;

  explicit EuclideanLossGrad(Prepare& step)
      : a(step.in(0).f32()),
        b(step.in(1).f32()),
        dloss(step.in(2).f32()),
        da(step.out(0).f32()),
        db(step.out(1).f32()),
        n(step.in(0).size()),
        rows(rows_of_pairs(step)) {
    step.expect(holds(step.in(2), 1) && may_hold(step.out(0), n) && may_hold(step.out(1), n),
                "gradients of the loss and its inputs");
  }

  void run(const Run& run) const {
    const float scale = *dloss / static_cast<float>(rows);
    for_slices(run.threads, n, kElementGrain, [&](int64_t begin, int64_t end) {
      if (da) difference(a, b, scale, da, begin, end);
      if (db) difference(b, a, scale, db, begin, end);
    });
  }

 private:
  static void difference(const float* a, const float* b, float scale, float* to, int64_t begin, int64_t end) {
    CORTADO_INDEPENDENT
    for (int64_t i = begin; i < end; ++i) to[i] = scale * (a[i] - b[i]);
  }
};

/// What sigmoid cross-entropy and its gradient read.
struct SigmoidTargets {
  const float *x, *target;
  int64_t n, batch;
  LabelRule rule;

  explicit SigmoidTargets(Prepare& step)
      : x(step.in(0).f32()), target(step.in(1).f32()), n(step.in(0).size()), batch(rows_of_pairs(step)), rule(step) {}

  bool counts(int64_t i) const { return !rule.ignores || rule.counts(label_of(target[i])); }

  double divisor() const {
    int64_t valid = n;
    if (rule.ignores) {
      valid = 0;
      for (int64_t i = 0; i < n; ++i) valid += counts(i);
    }
    return rule.divisor(valid, batch, n);
  }
};

/// x, target -> mean of -(t log sigmoid(x) + (1 - t) log(1 - sigmoid(x))), written so that nothing overflows.
struct SigmoidCrossEntropyLoss {
  SigmoidTargets in;
  float* loss;

  explicit SigmoidCrossEntropyLoss(Prepare& step) : in(step), loss(step.out(0).f32()) {
    step.expect(holds(step.out(0), 1), "one loss");
    step.scratch(chunk_bytes<1>());
  }

  void run(const Run& run) const {
    double totals[1];
    chunked_sums<1>(run, in.n, 16, totals, [&](int64_t begin, int64_t end, double (&sums)[1]) {
      for (int64_t i = begin; i < end; ++i) {
        if (!in.counts(i)) continue;
        const float x = in.x[i], above = x >= 0.0f ? 1.0f : 0.0f;
        const float tail = logarithm_1p(exponential(x >= 0.0f ? -x : x));
        sums[0] += static_cast<double>(tail) - static_cast<double>(x) * static_cast<double>(in.target[i] - above);
      }
    });
    *loss = static_cast<float>(totals[0] / in.divisor());
  }
};

/// x, target, dloss -> dx = (sigmoid(x) - target) dloss / divisor; 0 where the target is ignored.
struct SigmoidCrossEntropyLossGrad {
  SigmoidTargets in;
  const float* dloss;
  float* dx;

  explicit SigmoidCrossEntropyLossGrad(Prepare& step) : in(step), dloss(step.in(2).f32()), dx(step.out(0).f32()) {
    step.expect(holds(step.in(2), 1) && holds(step.out(0), in.n), "gradients of the loss and its input");
  }

  void run(const Run& run) const {
    const auto scale = static_cast<float>(static_cast<double>(*dloss) / in.divisor());
    for_slices(run.threads, in.n, kElementGrain / 8, [&](int64_t begin, int64_t end) {
      CORTADO_INDEPENDENT
      for (int64_t i = begin; i < end; ++i) dx[i] = scale * (logistic(in.x[i]) - in.target[i]);
      for (int64_t i = begin; in.rule.ignores && i < end; ++i) {
        if (!in.counts(i)) dx[i] = 0;
      }
    });
  }
};

/// x (rows, classes), label -> mean over rows of the sum of max(0, 1 - x) at the true class and max(0, 1 + x)
/// elsewhere, each squared for L2. A label that names no class leaves all of them elsewhere.
struct HingeLoss {
  const float *x, *label;
  float* loss;
  int64_t rows, classes, squared;

  explicit HingeLoss(Prepare& step)
      : x(step.in(0).f32()),
        label(step.in(1).f32()),
        loss(step.out(0).f32()),
        rows(rows_with_labels(step)),
        classes(step.in(0).size() / rows),
        squared(step.integer("squared")) {
    step.expect(holds(step.out(0), 1), "one loss");
    step.scratch(chunk_bytes<1>());
  }

  void run(const Run& run) const {
    double totals[1];
    chunked_sums<1>(run, rows, classes, totals, [&](int64_t begin, int64_t end, double (&sums)[1]) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t k = label_of(label[row]);
        for (int64_t c = 0; c < classes; ++c) {
          const auto v = static_cast<double>(x[row * classes + c]);
          const double margin = c == k ? 1 - v : 1 + v;
          if (margin > 0) sums[0] += squared ? margin * margin : margin;
        }
      }
    });
    *loss = static_cast<float>(totals[0] / static_cast<double>(rows));
  }
};

/// x, label, dloss -> dx.
struct HingeLossGrad {
  const float *x, *label, *dloss;
  float* dx;
  int64_t rows, classes, squared;

  explicit HingeLossGrad(Prepare& step)
      : x(step.in(0).f32()),
        label(step.in(1).f32()),
        dloss(step.in(2).f32()),
        dx(step.out(0).f32()),
        rows(rows_with_labels(step)),
        classes(step.in(0).size() / rows),
        squared(step.integer("squared")) {
    step.expect(holds(step.in(2), 1) && holds(step.out(0), step.in(0).size()), "gradients of the loss and its input");
  }

  void run(const Run& run) const {
    const float scale = *dloss / static_cast<float>(rows);
    for_slices(run.threads, rows, grain_of(classes), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t k = label_of(label[row]), at = row * classes;
        for (int64_t c = 0; c < classes; ++c) {
          const float sign = c == k ? -1.0f : 1.0f;
          const float margin = 1.0f + sign * x[at + c];
          const float slope = margin > 0.0f ? (squared ? 2.0f * margin : 1.0f) : 0.0f;
          dx[at + c] = scale * sign * slope;
        }
      }
    });
  }
};

}  // namespace cortado::CORTADO_ISA
