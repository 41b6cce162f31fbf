// bfloat16, the upper half of a float, in vectors: pairs of them, the lower half of a lane first, multiplied and added
// up in float.
//
// Machines without instructions for it do the same with shifts: factors are rounded alike (where a machine's own
// instruction takes subnormal numbers for zero, those are lost), sums may differ in their last bit.
#pragma once

#include "simd.h"

namespace cortado::CORTADO_ISA {
namespace {

using Vu = uint32_t __attribute__((vector_size(4 * kLanes)));
using Vh = uint16_t __attribute__((vector_size(2 * kLanes)));

/// Rounded to bfloat16 in the upper half of each lane, to the nearest, ties to even; a NaN stays one. The lower half is
/// not zero.
CORTADO_INLINE Vu rounded(Vf v) {
  const Vu b = reinterpret_cast<Vu>(v);
  const Vi nan = reinterpret_cast<Vi>(b & 0x7fffffff) > splat(0x7f800000);
  return nan ? b | 0x400000 : b + 0x7fff + (b >> 16 & 1);
}

/// low and high, rounded, as the pair in each lane.
CORTADO_INLINE Vi pair(Vf low, Vf high) {
#if defined(__AVX512BF16__)
  const Vi order = iota() | (iota() + kLanes) << 16;
  return reinterpret_cast<Vi>(_mm512_permutexvar_epi16(reinterpret_cast<__m512i>(order),
                                                       reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low))));
#else
  return reinterpret_cast<Vi>((rounded(low) >> 16) | (rounded(high) & 0xffff0000));
#endif
}

/// Rounds the first n lanes to `to`.
CORTADO_INLINE void store_bf16(uint16_t* to, Vf v, int64_t n) {
#if defined(__AVX512BF16__)
  const Vh half = reinterpret_cast<Vh>(_mm512_cvtneps_pbh(v));
#else
  const Vh half = __builtin_convertvector(rounded(v) >> 16, Vh);
#endif
  if (n == kLanes) {
    memcpy(to, &half, sizeof half);
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = half[i];
  }
}

/// The pair at p, in every lane. p need not be aligned.
CORTADO_INLINE Vi splat_pair(const uint16_t* p) {
  int32_t both;
  memcpy(&both, p, sizeof both);
  return splat(both);
}

/// sum + a.low * b.low + a.high * b.high.
CORTADO_INLINE Vf dot(Vi a, Vi b, Vf sum) {
#if defined(__AVX512BF16__)
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
#else
  const Vi upper = splat(static_cast<int32_t>(0xffff0000));
  sum = fma(from_bits(a << 16), from_bits(b << 16), sum);
  return fma(from_bits(a & upper), from_bits(b & upper), sum);
#endif
}

/// Asks for a cache line that will soon be read; any address will do.
CORTADO_INLINE void prefetch(const void* p) { __builtin_prefetch(p, 0, 2); }

}  // namespace
}  // namespace cortado::CORTADO_ISA
