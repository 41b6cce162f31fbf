#pragma once

#include "checks.h"

namespace cortado::CORTADO_ISA {

/// The order of ReductionOp in lib/ops/reduction.ts.
enum class Reduce : int64_t { sum, asum, sumsq };

CORTADO_INLINE Reduce reduce_of(Prepare& step) {
  const int64_t operation = step.integer("operation");
  step.expect(operation >= 0 && operation <= 2, "an operation from 0 to 2");
  return static_cast<Reduce>(operation);
}

/// Elements of x for each element of y.
CORTADO_INLINE int64_t row_width(Prepare& step, const Tensor& x, const Tensor& y) {
  const int64_t rows = y.size();
  step.expect(rows > 0 && holds(y, rows) && holds(x, x.size()) && x.size() % rows == 0, "whole rows");
  return x.size() / rows;
}

}  // namespace cortado::CORTADO_ISA
