#pragma once

#include "checks.h"

namespace cortado::CORTADO_ISA {

/// How many tensors one such step may combine: more than the widest published nets do.
constexpr int kMaxTerms = 256;

/// The tensors that a step combines.
template <class T = float>
struct Terms {
  const T* x[kMaxTerms];
  int count;
  int64_t n;

  Terms(Prepare& step, int first, int terms, DType dtype = DType::f32) : count(terms), n(step.in(first).size()) {
    step.expect(count > 0 && count <= kMaxTerms, "1 to 256 tensors to combine");
    for (int i = 0; i < count; ++i) {
      step.expect(holds(step.in(first + i), n, dtype), "tensors of one size");
      x[i] = static_cast<const T*>(step.in(first + i).data);
    }
  }
};

}  // namespace cortado::CORTADO_ISA
