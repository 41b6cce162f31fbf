// s^-beta and 1 / s for local response normalisation: by square roots where beta allows, else by powf.
#pragma once

#include "simd.h"

namespace cortado::CORTADO_ISA {

/// s^-beta and 1 / s.
struct Scaled {
  Vf power, inverse;
};

/// s^-0.75 and 1 / s from rough roots p of the former and one step of Newton's method: with e = 1 - p^4 s^3, which is
/// as small as the roots' errors, s^-0.75 = p (1 - e)^(-1/4) and 1 / s = p^4 s^2 / (1 - e), by the first terms of their
/// series. Half the work of exact roots.
CORTADO_INLINE Scaled three_quarters(Vf s) {
  const Vf root = estimate_inverse_sqrt(s);
  const Vf p = root * root * estimate_inverse_sqrt(root);
  const Vf b = p * s * p, inverse = b * b, e = fma(-inverse, s, splat(1.0f));
  return {fma(p * 0.25f, e, p), fma(inverse, fma(e, e, e), inverse)};
}

/// Calls f with a function from s to Scaled for this beta.
template <class F>
CORTADO_INLINE void with_power(float beta, const F& f) {
  if (beta == 0.75f) {
    return f([](Vf s) {
      if constexpr (kEstimateBits >= 14) return three_quarters(s);
      const Vf root = inverse_sqrt(s);
      return Scaled{root * root * inverse_sqrt(root), root * root};
    });
  }
  if (beta == 0.5f) {
    return f([](Vf s) {
      const Vf root = inverse_sqrt(s);
      return Scaled{root, root * root};
    });
  }
  if (beta == 1.0f) return f([](Vf s) { return Scaled{1.0f / s, 1.0f / s}; });
  f([beta](Vf s) {
    Vf power;
    for (int i = 0; i < kLanes; ++i) power[i] = powf(s[i], -beta);
    return Scaled{power, 1.0f / s};
  });
}

}  // namespace cortado::CORTADO_ISA
