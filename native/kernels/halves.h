// Numbers of 16 bits, as bits: IEEE 754's binary16, and bfloat16, the upper half of a float. Rounded to the nearest,
// ties to even. A GPU has instructions for it.
#pragma once

#include "formula.h"

namespace cortado::CORTADO_ISA {

CORTADO_FORMULA uint16_t to_bfloat16(float x) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  uint16_t half;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(half) : "f"(x));
  return half;
#else
  const uint32_t bits = bits_of(x);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>((bits | 0x400000) >> 16);  // NaN stays one
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
#endif
}

CORTADO_FORMULA float from_bfloat16(uint16_t half) { return float_of(static_cast<uint32_t>(half) << 16); }

CORTADO_FORMULA uint16_t to_float16(float x) {
#if defined(__CUDA_ARCH__)
  uint16_t half;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(x));
  return half;
#else
  constexpr uint32_t kInfinity = 0x7f800000, kOverflow = 0x47800000, kLeastNormal = 0x38800000;  // 2^16, 2^-14
  const uint32_t bits = bits_of(x), size = bits & 0x7fffffff, sign = bits >> 16 & 0x8000;
  uint32_t half = 0;
  if (size > kInfinity) {
    half = 0x7e00;
  } else if (size >= kOverflow) {
    half = 0x7c00;
  } else if (size < kLeastNormal) {
    half = bits_of(float_of(size) + 0.5f) - bits_of(0.5f);  // the last digit of 0.5f is that of the least numbers
  } else {
    constexpr uint32_t kBias = (127 - 15) << 23;
    half = (size - kBias + 0xfff + (size >> 13 & 1)) >> 13;
  }
  return static_cast<uint16_t>(sign | half);
#endif
}

CORTADO_FORMULA float from_float16(uint16_t half) {
#if defined(__CUDA_ARCH__)
  float x;
  asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(half));
  return x;
#else
  const uint32_t size = half & 0x7fff, sign = static_cast<uint32_t>(half & 0x8000) << 16;
  if (size >= 0x7c00) return float_of(sign | 0x7f800000 | (size & 0x3ff) << 13);
  if (size >= 0x400) return float_of(sign | ((size << 13) + ((127 - 15) << 23)));
  const float least = static_cast<float>(size) * 0x1p-24f;
  return sign != 0 ? -least : least;
#endif
}

}  // namespace cortado::CORTADO_ISA
