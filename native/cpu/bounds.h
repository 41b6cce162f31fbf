// What results are held between on their way to memory.
#pragma once

#include "../core/kernel.h"
#include "simd.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Nothing, a ReLU's [0, infinity), or [0, ceiling]. NaN stays.
struct Bounds {
  float least = -__builtin_inff(), most = __builtin_inff();

  Bounds() = default;
  /// A layer's without a ceiling.
  explicit Bounds(bool relu) : least(relu ? 0.0f : -__builtin_inff()) {}
  /// By a step's attribute `relu`: 0, 1, or 1 and a ceiling.
  explicit Bounds(Prepare& step) {
    double relu[2] = {0, 0};
    const int given = step.list("relu", relu, 2);
    if (relu[0] != 0) least = 0;
    if (given == 2) most = static_cast<float>(relu[1]);
  }

  CORTADO_INLINE bool any() const { return least == 0; }
  /// Called of a copy where results are stored meanwhile: for all that the compiler knows, these numbers are among
  /// them.
  CORTADO_INLINE Vf hold(Vf v) const { return min(splat(most), max(splat(least), v)); }
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
