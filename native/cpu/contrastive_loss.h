// Contrastive loss of pairs of rows (Hadsell, Chopra and LeCun 2006): contrastive_loss_layer.cpp.
#pragma once

#include "../kernels/labels.h"
#include "chunks.h"

namespace cortado::CORTADO_ISA {

/// Rows of a and b, and whether each pair is similar.
struct Pairs {
  const float *a, *b, *similar;
  int64_t rows, width, legacy;
  double margin;

  explicit Pairs(Prepare& step)
      : a(step.in(0).f32()),
        b(step.in(1).f32()),
        similar(step.in(2).f32()),
        rows(rows_with_labels(step, 2)),
        width(step.in(0).size() / rows),
        legacy(step.integer("legacy")),
        margin(step.number("margin")) {
    step.expect(holds(step.in(1), rows * width), "tensors of one size");
  }

  double squared_distance(int64_t row) const {
    double total = 0;
    for (int64_t i = row * width; i < (row + 1) * width; ++i) {
      const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
      total += d * d;
    }
    return total;
  }

  bool alike(int64_t row) const { return label_of(similar[row]) != 0; }
};

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
      for (int64_t row = begin; row < end; ++row) sums[0] += term(row);
    });
    *loss = static_cast<float>(totals[0] / static_cast<double>(2 * pairs.rows));
  }

 private:
  double term(int64_t row) const {
    const double squared = pairs.squared_distance(row);
    if (pairs.alike(row)) return squared;
    const double room = pairs.margin - (pairs.legacy ? squared : ::sqrt(squared));
    if (!(room > 0)) return 0;
    return pairs.legacy ? room : room * room;
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
        const auto factor = static_cast<float>(scale * slope(row));
        for (int64_t i = row * pairs.width; i < (row + 1) * pairs.width; ++i) {
          const float d = factor * (pairs.a[i] - pairs.b[i]);
          if (da) da[i] = d;
          if (db) db[i] = -d;
        }
      }
    });
  }

 private:
  /// The derivative by a, over (a - b). Caffe adds 1e-4 to the distance that it divides by.
  double slope(int64_t row) const {
    if (pairs.alike(row)) return 1;
    const double squared = pairs.squared_distance(row);
    if (pairs.legacy) return pairs.margin - squared > 0 ? -1 : 0;
    const double distance = ::sqrt(squared), room = pairs.margin - distance;
    return room > 0 ? -room / (distance + 1e-4) : 0;
  }
};

}  // namespace cortado::CORTADO_ISA
