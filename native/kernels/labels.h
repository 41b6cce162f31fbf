// Class labels, which come as floats, and what a loss is divided by. Shared by every loss and by accuracy.
#pragma once

#include "../core/kernel.h"
#include "formula.h"

namespace cortado::CORTADO_ISA {

/// The class that a label names: cut towards zero, as in Caffe. What no int can hold (NaN too) is below every class.
CORTADO_FORMULA int64_t label_of(float label) {
  return label > -2147483648.0f && label < 2147483648.0f ? static_cast<int64_t>(label) : INT64_MIN;
}

/// The order of Normalization in lib/ops/loss.ts.
enum class Normalize : int64_t { valid, batch, full, none };

/// Which labels count, and the divisor of the sum over them.
struct LabelRule {
  bool ignores;
  int64_t ignored;
  Normalize normalize;

  CORTADO_INLINE explicit LabelRule(Prepare& step) : normalize(static_cast<Normalize>(step.integer("normalization"))) {
    double value[1] = {};
    ignores = step.list("ignoreLabel", value, 1) == 1;
    ignored = static_cast<int64_t>(value[0]);
  }

  CORTADO_FORMULA bool counts(int64_t label) const { return !(ignores && label == ignored); }

  /// At least 1, so that a batch without labels has loss 0.
  CORTADO_FORMULA double divisor(int64_t valid, int64_t batch, int64_t all) const {
    int64_t n = 1;
    if (normalize == Normalize::valid) n = valid;
    if (normalize == Normalize::batch) n = batch;
    if (normalize == Normalize::full) n = all;
    return n > 1 ? static_cast<double>(n) : 1.0;
  }
};

/// Extents around a class axis: (outer, classes, inner).
struct ClassAxis {
  int64_t outer, classes, inner;

  CORTADO_INLINE ClassAxis(Prepare& step, const Tensor& x) {
    const int64_t wanted = step.integer("axis");
    step.expect(wanted >= 0 && wanted < x.rank && x.data && x.size() > 0 && x.dtype == DType::f32,
                "an axis of classes");
    const auto axis = static_cast<int>(wanted);
    outer = x.count(0, axis);
    classes = x.dim[axis];
    inner = x.count(axis + 1, x.rank);
  }

  CORTADO_FORMULA int64_t rows() const { return outer * inner; }
  /// Whether the label names one of the classes.
  CORTADO_FORMULA bool has(int64_t label) const { return label >= 0 && label < classes; }
  /// Where class `k` of row `row` (in the labels' order) is.
  CORTADO_FORMULA int64_t at(int64_t row, int64_t k) const { return (row / inner * classes + k) * inner + row % inner; }
};

}  // namespace cortado::CORTADO_ISA
