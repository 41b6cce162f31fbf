// Rows in pairs, and the contrastive loss of one (Hadsell, Chopra and LeCun 2006): contrastive_loss_layer.cpp.
#pragma once

#include <math.h>

#include "checks.h"
#include "labels.h"

namespace cortado::CORTADO_ISA {

/// The first extent of input 0, which has rows and, in input `labels`, a label for each.
CORTADO_INLINE int64_t rows_with_labels(Prepare& step, int labels = 1) {
  const Tensor x = step.in(0);
  step.expect(x.rank > 0 && holds(x, x.size()) && x.size() > 0, "rows");
  step.expect(holds(step.in(labels), x.dim[0]), "a label for every row");
  return x.dim[0];
}

/// The first extent of inputs 0 and 1, which have the same size.
CORTADO_INLINE int64_t rows_of_pairs(Prepare& step) {
  const Tensor x = step.in(0);
  step.expect(x.rank > 0 && holds(x, x.size()) && x.size() > 0 && holds(step.in(1), x.size()), "tensors of one size");
  return x.dim[0];
}

/// Rows of a and b, and whether each pair is similar.
struct Pairs {
  const float *a, *b, *similar;
  int64_t rows, width, legacy;
  double margin;

  CORTADO_INLINE explicit Pairs(Prepare& step)
      : a(step.in(0).f32()),
        b(step.in(1).f32()),
        similar(step.in(2).f32()),
        rows(rows_with_labels(step, 2)),
        width(step.in(0).size() / rows),
        legacy(step.integer("legacy")),
        margin(step.number("margin")) {
    step.expect(holds(step.in(1), rows * width), "tensors of one size");
  }

  CORTADO_FORMULA double squared_distance(int64_t row) const {
    double total = 0;
    for (int64_t i = row * width; i < (row + 1) * width; ++i) total += squared_difference(i);
    return total;
  }
  CORTADO_FORMULA double squared_difference(int64_t i) const {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    return d * d;
  }

  CORTADO_FORMULA bool alike(int64_t row) const { return label_of(similar[row]) != 0; }

  /// What a pair of that squared distance adds to the loss.
  CORTADO_FORMULA double term(int64_t row, double squared) const {
    if (alike(row)) return squared;
    const double room = margin - (legacy ? squared : ::sqrt(squared));
    if (!(room > 0)) return 0;
    return legacy ? room : room * room;
  }

  /// The derivative by a, over (a - b). Caffe adds 1e-4 to the distance that it divides by.
  CORTADO_FORMULA double slope(int64_t row, double squared) const {
    if (alike(row)) return 1;
    if (legacy) return margin - squared > 0 ? -1 : 0;
    const double distance = ::sqrt(squared), room = margin - distance;
    return room > 0 ? -room / (distance + 1e-4) : 0;
  }
};

}  // namespace cortado::CORTADO_ISA
