#pragma once

#include <math.h>

#include "../core/kernel.h"
#include "formula.h"

namespace cortado::CORTADO_ISA {

/// (scale * x + shift)^power. Small whole powers and roots are products, which vectorise; others take libm's powf.
struct Power {
  static constexpr int kInputs = 1;
  float power, scale, shift;
  CORTADO_INLINE explicit Power(Prepare& step)
      : power(static_cast<float>(step.number("power"))),
        scale(static_cast<float>(step.number("scale"))),
        shift(static_cast<float>(step.number("shift"))) {}
  CORTADO_FORMULA float operator()(float x) const { return raise(scale * x + shift, power); }

  static CORTADO_FORMULA float raise(float base, float power) {
    if (power == 1.0f) return base;
    if (power == 2.0f) return base * base;
    if (power == 3.0f) return base * base * base;
    if (power == 0.0f) return 1.0f;
    if (power == -1.0f) return 1.0f / base;
    if (power == 0.5f) return __builtin_sqrtf(base);
    return powf(base, power);
  }
};

/// dy * power * scale * (scale * x + shift)^(power - 1).
struct PowerGrad {
  static constexpr int kInputs = 2;
  Power f;
  CORTADO_INLINE explicit PowerGrad(Prepare& step) : f(step) {}
  CORTADO_FORMULA float operator()(float dy, float x) const {
    const float factor = f.power * f.scale;
    return factor == 0.0f ? 0.0f : dy * factor * Power::raise(f.scale * x + f.shift, f.power - 1.0f);
  }
};

}  // namespace cortado::CORTADO_ISA
