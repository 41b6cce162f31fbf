// Elementary functions as straight-line code, so that a loop over them becomes vector code: libm's are calls, one
// element at a time. Approximations: Moshier, "Methods and Programs for Mathematical Functions" (1989), single
// precision; errors under 2 units in the last place. NaN stays NaN, infinities and zeros give what the C functions
// give.
#pragma once

#include "formula.h"

namespace cortado::CORTADO_ISA {
/// e^x.
CORTADO_FORMULA float exponential(float x) {
  // Beyond these bounds the answer is 0 or infinity; comparisons in this order keep a NaN.
  x = x > 90.0f ? 90.0f : x;
  x = x < -105.0f ? -105.0f : x;
  // Adding 1.5 * 2^23 rounds to a whole number and leaves it in the low bits.
  const float shifted = x * 1.44269504f + 12582912.0f;
  const float n = shifted - 12582912.0f;
  const int32_t power = static_cast<int32_t>(bits_of(shifted) - bits_of(12582912.0f));
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  // 2^power in two factors: either alone would leave the range of exponents at the ends.
  const int32_t half = power >> 1;
  const float low = float_of(static_cast<uint32_t>(half + 127) << 23);
  const float high = float_of(static_cast<uint32_t>(power - half + 127) << 23);
  return (p * r * r + r + 1.0f) * low * high;
}

/// Natural logarithm of a positive normal number.
CORTADO_FORMULA float logarithm_of_normal(float x) {
  const uint32_t bits = bits_of(x);
  // x = m * 2^e with m in [sqrt(1/2), sqrt(2)): 0x3f3504f3 is sqrt(1/2).
  const int32_t e = static_cast<int32_t>(bits - 0x3f3504f3u) >> 23;
  const float f = float_of(bits - (static_cast<uint32_t>(e) << 23)) - 1.0f;
  const auto n = static_cast<float>(e);
  const float z = f * f;
  float p = 7.0376836292e-2f;
  p = p * f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  const float y = p * f * z + n * -2.12194440e-4f - 0.5f * z;
  return f + y + n * 0.693359375f;
}

/// Natural logarithm.
CORTADO_FORMULA float logarithm(float x) {
  const bool tiny = x < 1.17549435e-38f;  // below the normal numbers
  float y = logarithm_of_normal(tiny ? x * 8388608.0f : x);
  y = tiny ? y - 15.9423851f : y;  // 23 log 2
  y = x > 3.40282347e38f ? x : y;
  y = x == 0.0f ? -__builtin_inff() : y;
  return x < 0.0f || x != x ? __builtin_nanf("") : y;
}

/// log(1 + u) for finite u >= 0. The rounding error of 1 + u divides out (Goldberg 1991, theorem 4), which keeps a
/// small u.
CORTADO_FORMULA float logarithm_1p(float u) {
  const float w = 1.0f + u;
  const float d = w - 1.0f;
  const float y = logarithm_of_normal(w) * (u / (d == 0.0f ? 1.0f : d));
  return d == 0.0f ? u : y;
}

/// log(1 + e^x) without overflow.
CORTADO_FORMULA float softplus(float x) {
  return (x > 0.0f ? x : 0.0f) + logarithm_1p(exponential(-__builtin_fabsf(x)));
}

/// Hyperbolic tangent.
CORTADO_FORMULA float hyperbolic_tangent(float x) {
  const float z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const float near = p * z * x + x;
  const float magnitude = __builtin_fabsf(x);
  const float far = 1.0f - 2.0f / (exponential(2.0f * magnitude) + 1.0f);
  return magnitude < 0.625f ? near : __builtin_copysignf(far, x);
}

/// 1 / (1 + e^-x).
CORTADO_FORMULA float logistic(float x) { return 1.0f / (1.0f + exponential(-x)); }

}  // namespace cortado::CORTADO_ISA
