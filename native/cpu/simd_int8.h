// Whole numbers of 8 and 16 bits in vectors, multiplied and added up exactly in 32.
#pragma once

#include "simd.h"

namespace cortado::CORTADO_ISA {
namespace {

using SignedBytes = int8_t __attribute__((vector_size(kLanes)));
using Shorts = int16_t __attribute__((vector_size(2 * kLanes)));

/// The vector of kLanes such numbers.
template <class Whole>
struct Narrow;
template <>
struct Narrow<int8_t> {
  using Type = SignedBytes;
};
template <>
struct Narrow<int16_t> {
  using Type = Shorts;
};

/// Numbers of 16 bits in a vector, which are multiplied two to a lane.
constexpr int kShorts = 2 * kLanes;

/// Lanes of sum + some of the products weight[i] * x[i], each i < kShorts in one lane.
CORTADO_INLINE Vi add_products(const int8_t* weight, const int16_t* x, Vi sum) {
#if defined(__AVX512F__)
  const __m512i wide = _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(weight)));
  const __m512i right = _mm512_loadu_si512(x);
#if defined(__AVX512VNNI__)
  return reinterpret_cast<Vi>(_mm512_dpwssd_epi32(reinterpret_cast<__m512i>(sum), wide, right));
#else
  return sum + reinterpret_cast<Vi>(_mm512_madd_epi16(wide, right));
#endif
#elif defined(__AVX2__)
  const __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(weight)));
  const __m256i right = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x));
  return sum + reinterpret_cast<Vi>(_mm256_madd_epi16(wide, right));
#else
  for (int half = 0; half < 2; ++half) {
    SignedBytes left;
    Shorts right;
    memcpy(&left, weight + half * kLanes, sizeof left);
    memcpy(&right, x + half * kLanes, sizeof right);
    sum += __builtin_convertvector(left, Vi) * __builtin_convertvector(right, Vi);
  }
  return sum;
#endif
}

/// v * factor to the nearest whole number, ties to even; of magnitudes below 2^22.
CORTADO_INLINE Vi nearest(Vf v, float factor) {
  // Behind 1.5 * 2^23, the last bit of a float counts ones.
  const Vf shift = splat(12582912.0f);
  return bits(fma(v, splat(factor), shift)) - bits(shift);
}

/// Writes the first n lanes as numbers of fewer bits.
template <class Whole>
CORTADO_INLINE void store_whole(Whole* to, Vi v, int64_t n) {
  const auto narrow = __builtin_convertvector(v, typename Narrow<Whole>::Type);
  if (n == kLanes) {
    memcpy(to, &narrow, sizeof narrow);
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = narrow[i];
  }
}

/// The largest magnitude among n numbers; a NaN is larger than all.
CORTADO_INLINE float largest_magnitude(const float* from, int64_t n) {
  Vi most{};
  for (int64_t i = 0; i < n; i += kLanes) {
    most = max(most, bits(abs(load_lanes(from + i, n - i < kLanes ? n - i : kLanes))));
  }
  int32_t one = 0;
  for (int i = 0; i < kLanes; ++i) one = most[i] > one ? most[i] : one;
  float magnitude;
  memcpy(&magnitude, &one, sizeof magnitude);
  return magnitude;
}

/// n numbers as whole multiples, of `most` at most, of a step that is returned; behind them zeros up to `padded`. Where
/// one is not finite the step is not either.
template <class Whole>
CORTADO_INLINE float quantize(const float* from, int64_t n, int32_t most, Whole* to, int64_t padded) {
  const float magnitude = largest_magnitude(from, n), limit = static_cast<float>(most);
  // The step of numbers so small that its reciprocal would be infinite is the smallest normal float.
  const float step = magnitude / limit < 1.17549435e-38f ? 1.17549435e-38f : magnitude / limit;
  for (int64_t i = 0; i < n; i += kLanes) {
    const int64_t count = n - i < kLanes ? n - i : kLanes;
    store_whole(to + i, nearest(load_lanes(from + i, count), 1.0f / step), count);
  }
  for (int64_t i = n; i < padded; ++i) to[i] = 0;
  return step;
}

}  // namespace
}  // namespace cortado::CORTADO_ISA
