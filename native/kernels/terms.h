#pragma once

#include "checks.h"

namespace cortado::CORTADO_ISA {

/// How many tensors one such step may combine: more than the widest published nets do.
constexpr int kMaxTerms = 256;

/// The tensors that a step combines.
struct Terms {
  const float* x[kMaxTerms];
  int count;
  int64_t n;

  Terms(Prepare& step, int first, int terms) : count(terms), n(step.in(first).size()) {
    step.expect(count > 0 && count <= kMaxTerms, "1 to 256 tensors to combine");
    for (int i = 0; i < count; ++i) {
      step.expect(holds(step.in(first + i), n), "tensors of one size");
      x[i] = step.in(first + i).f32();
    }
  }
};

}  // namespace cortado::CORTADO_ISA
