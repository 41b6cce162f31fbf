// s^-beta and 1 / s for local response normalisation: by square roots where beta allows, else by powf.
#pragma once

#include "simd.h"

namespace cortado::CORTADO_ISA {

/// (s / kUnit)^-beta and 1 / s of an s that comes multiplied by the kUnit of its power.
struct Scaled {
  Vf power, inverse;
};

/// s^-0.75 and 1 / s from a rough root v of s^-1/4 and one step of Newton's method: s^-0.75 = v^3 (1 - e)^(-3/4) with
/// e = 1 - v^4 s, which is as small as the root's error, by the first terms of the series, v^3 (7/4 - 3/4 v^4 s). Where
/// s comes multiplied by the unit (4/3)^(4/3), v^3 is smaller by 3/4, and the parenthesis 7/3 - v^4 s, one operation.
/// The unit is a step of float32 below that, which makes up for the mean of what the series leaves out.
struct ThreeQuarters {
  static constexpr float kUnit = kEstimateBits >= 14 ? 1.4675231f : 1.0f;

  CORTADO_INLINE Scaled operator()(Vf s) const {
    if constexpr (kEstimateBits >= 14) {
      const Vf root = estimate_inverse_sqrt(s), v = root * estimate_inverse_sqrt(root);
      const Vf square = v * v, fourth = square * square, rest = fma(-fourth, s, splat(7.0f / 3));
      return {v * square * rest, fourth * (rest - 1.0f / 3)};
    }
    const Vf root = inverse_sqrt(s);
    return {root * root * inverse_sqrt(root), root * root};
  }
};

/// s^-0.5.
struct Half {
  static constexpr float kUnit = 1;

  CORTADO_INLINE Scaled operator()(Vf s) const {
    const Vf root = inverse_sqrt(s);
    return {root, root * root};
  }
};

/// s^-1.
struct Whole {
  static constexpr float kUnit = 1;

  CORTADO_INLINE Scaled operator()(Vf s) const { return {1.0f / s, 1.0f / s}; }
};

/// s^-beta.
struct AnyPower {
  static constexpr float kUnit = 1;
  float beta;

  CORTADO_INLINE Scaled operator()(Vf s) const {
    Vf power;
    for (int i = 0; i < kLanes; ++i) power[i] = powf(s[i], -beta);
    return {power, 1.0f / s};
  }
};

/// Calls f with the function to Scaled for this beta.
template <class F>
CORTADO_INLINE void with_power(float beta, const F& f) {
  if (beta == 0.75f) return f(ThreeQuarters{});
  if (beta == 0.5f) return f(Half{});
  if (beta == 1.0f) return f(Whole{});
  f(AnyPower{beta});
}

}  // namespace cortado::CORTADO_ISA
