// Contrastive loss of pairs of rows (Hadsell, Chopra and LeCun 2006): contrastive_loss_layer.cpp.
#pragma once

#include "../kernels/pairs.h"
#include "chunks.h"

namespace cortado::CORTADO_ISA {

/// a, b, similar -> sum over pairs of d^2, or of max(0, margin - d)^2 (legacy: max(0, margin - d^2)) for dissimilar
/// ones, divided by 2 rows.
struct ContrastiveLoss {
  Pairs pairs;
  float* loss;

  explicit ContrastiveLoss(Prepare& step) : pairs(step), loss(step.out(0).f32()) {
    step.expect(holds(step.out(0), 1), "one loss");
    step.scratch(chunk_bytes<1>());
  }

  void run(const Run& run) const {
    double totals[1];
    chunked_sums<1>(run, pairs.rows, pairs.width, totals, [&](int64_t begin, int64_t end, double (&sums)[1]) {
      for (int64_t row = begin; row < end; ++row) sums[0] += pairs.term(row, pairs.squared_distance(row));
    });
    *loss = static_cast<float>(totals[0] / static_cast<double>(2 * pairs.rows));
  }
};

/// a, b, similar, dloss -> da, db = -da.
struct ContrastiveLossGrad {
  Pairs pairs;
  const float* dloss;
  float *da, *db;

  explicit ContrastiveLossGrad(Prepare& step)
      : pairs(step), dloss(step.in(3).f32()), da(step.out(0).f32()), db(step.out(1).f32()) {
    const int64_t n = pairs.rows * pairs.width;
    step.expect(holds(step.in(3), 1) && may_hold(step.out(0), n) && may_hold(step.out(1), n),
                "gradients of the loss and its inputs");
  }

  void run(const Run& run) const {
    const double scale = static_cast<double>(*dloss) / static_cast<double>(pairs.rows);
    for_slices(run.threads, pairs.rows, grain_of(pairs.width), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const auto factor = static_cast<float>(scale * pairs.slope(row, pairs.squared_distance(row)));
        for (int64_t i = row * pairs.width; i < (row + 1) * pairs.width; ++i) {
          const float d = factor * (pairs.a[i] - pairs.b[i]);
          if (da) da[i] = d;
          if (db) db[i] = -d;
        }
      }
    });
  }
};

}  // namespace cortado::CORTADO_ISA
