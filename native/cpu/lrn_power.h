// s^-beta and 1 / s for local response normalisation: by square roots where beta allows, else by powf.
#pragma once

#include "simd.h"

namespace cortado::CORTADO_ISA {

/// s^-beta and 1 / s.
struct Scaled {
  Vf power, inverse;
};

/// Calls f with a function from s to Scaled for this beta.
template <class F>
CORTADO_INLINE void with_power(float beta, const F& f) {
  if (beta == 0.75f) {
    return f([](Vf s) {
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
