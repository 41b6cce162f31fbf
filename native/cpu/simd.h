// The vector type of the instruction set that this file is compiled for, and the only place with intrinsics beside
// those for fewer bits, simd_bf16.h and simd_int8.h.
//
// Vf (floats) and Vi (32-bit integers) are compiler vectors of kLanes lanes, so + - * / and comparisons work as they do
// on scalars; a comparison gives a Vi whose lanes are 0 or -1, which combines with & | ~ and feeds select(). Everything
// sits in an unnamed namespace: the linker must never see, let alone merge, code that was compiled for different
// machines.
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "../core/tensor.h"

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace cortado::CORTADO_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16, kRegisters = 32;
#elif defined(__AVX2__)
constexpr int kLanes = 8, kRegisters = 16;
#elif defined(__ARM_NEON)
constexpr int kLanes = 4, kRegisters = 32;
#else
constexpr int kLanes = 4, kRegisters = 16;
#endif

using Vf = float __attribute__((vector_size(4 * kLanes)));
using Vi = int32_t __attribute__((vector_size(4 * kLanes)));
using Vu = uint32_t __attribute__((vector_size(4 * kLanes)));

// ---- making vectors

CORTADO_INLINE Vf zero() { return Vf{}; }
CORTADO_INLINE Vf splat(float x) { return x - Vf{}; }  // x - 0 is x, even for -0
CORTADO_INLINE Vi splat(int32_t x) { return Vi{} + x; }

/// 0, 1, 2, ... kLanes - 1.
CORTADO_INLINE Vi iota() {
  Vi v{};
  for (int i = 0; i < kLanes; ++i) v[i] = i;
  return v;
}

/// A mask of the first n lanes; n may be anything.
CORTADO_INLINE Vi first_lanes(int64_t n) { return iota() < splat(static_cast<int32_t>(n < kLanes ? n : kLanes)); }

CORTADO_INLINE Vf load(const float* p) {
  Vf v;
  memcpy(&v, p, sizeof v);
  return v;
}
CORTADO_INLINE Vi load(const int32_t* p) {
  Vi v;
  memcpy(&v, p, sizeof v);
  return v;
}
CORTADO_INLINE void store(float* p, Vf v) { memcpy(p, &v, sizeof v); }
CORTADO_INLINE void store(int32_t* p, Vi v) { memcpy(p, &v, sizeof v); }

// load_part reads, and store_part writes, only the first n lanes, 0 <= n <= kLanes; the other lanes read as 0, or as
// those of `rest`.
#if defined(__AVX512F__)
CORTADO_INLINE __mmask16 lane_bits(int64_t n) { return static_cast<__mmask16>((1u << n) - 1); }
CORTADO_INLINE Vf load_part(const float* p, int64_t n) { return _mm512_maskz_loadu_ps(lane_bits(n), p); }
CORTADO_INLINE Vf load_part(const float* p, int64_t n, Vf rest) { return _mm512_mask_loadu_ps(rest, lane_bits(n), p); }
CORTADO_INLINE void store_part(float* p, Vf v, int64_t n) { _mm512_mask_storeu_ps(p, lane_bits(n), v); }
CORTADO_INLINE Vi load_part(const int32_t* p, int64_t n) {
  return reinterpret_cast<Vi>(_mm512_maskz_loadu_epi32(lane_bits(n), p));
}
CORTADO_INLINE void store_part(int32_t* p, Vi v, int64_t n) {
  _mm512_mask_storeu_epi32(p, lane_bits(n), reinterpret_cast<__m512i>(v));
}
#elif defined(__AVX2__)
CORTADO_INLINE __m256i lane_mask(int64_t n) { return reinterpret_cast<__m256i>(first_lanes(n)); }
CORTADO_INLINE Vf load_part(const float* p, int64_t n) { return _mm256_maskload_ps(p, lane_mask(n)); }
CORTADO_INLINE Vf load_part(const float* p, int64_t n, Vf rest) {
  const __m256i mask = lane_mask(n);
  return _mm256_blendv_ps(rest, _mm256_maskload_ps(p, mask), reinterpret_cast<__m256>(mask));
}
CORTADO_INLINE void store_part(float* p, Vf v, int64_t n) { _mm256_maskstore_ps(p, lane_mask(n), v); }
CORTADO_INLINE Vi load_part(const int32_t* p, int64_t n) {
  return reinterpret_cast<Vi>(_mm256_maskload_epi32(p, lane_mask(n)));
}
CORTADO_INLINE void store_part(int32_t* p, Vi v, int64_t n) {
  _mm256_maskstore_epi32(p, lane_mask(n), reinterpret_cast<__m256i>(v));
}
#else
CORTADO_INLINE Vf load_part(const float* p, int64_t n, Vf rest) {
  for (int64_t i = 0; i < n; ++i) rest[i] = p[i];
  return rest;
}
CORTADO_INLINE Vf load_part(const float* p, int64_t n) { return load_part(p, n, Vf{}); }
CORTADO_INLINE void store_part(float* p, Vf v, int64_t n) {
  for (int64_t i = 0; i < n; ++i) p[i] = v[i];
}
CORTADO_INLINE Vi load_part(const int32_t* p, int64_t n) {
  Vi v{};
  for (int64_t i = 0; i < n; ++i) v[i] = p[i];
  return v;
}
CORTADO_INLINE void store_part(int32_t* p, Vi v, int64_t n) {
  for (int64_t i = 0; i < n; ++i) p[i] = v[i];
}
#endif

// Bytes, each in a lane: load_part and store_part as above; a byte to be stored is its lane's lowest.
#if defined(__AVX512BW__) && defined(__AVX512VL__)
CORTADO_INLINE Vi load_part(const uint8_t* p, int64_t n) {
  return reinterpret_cast<Vi>(_mm512_maskz_cvtepu8_epi32(0xffff, _mm_maskz_loadu_epi8(lane_bits(n), p)));
}
CORTADO_INLINE void store_part(uint8_t* p, Vi v, int64_t n) {
  _mm_mask_storeu_epi8(p, lane_bits(n), _mm512_maskz_cvtepi32_epi8(0xffff, reinterpret_cast<__m512i>(v)));
}
#else
using Bytes = uint8_t __attribute__((vector_size(kLanes)));
/// A register's, since a vector read back from single bytes in memory would wait for them.
CORTADO_INLINE uint64_t bytes_of(Vi v) {
#if defined(__AVX2__)
  // The compiler would take every lane out by itself.
  const __m256i lowest = _mm256_set1_epi32(0x0c080400);
  const __m256i four = _mm256_shuffle_epi8(reinterpret_cast<__m256i>(v), lowest);
  const __m128i all = _mm_unpacklo_epi32(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));
  return static_cast<uint64_t>(_mm_cvtsi128_si64(all));
#else
  const Bytes bytes = __builtin_convertvector(v, Bytes);
  uint64_t all = 0;
  memcpy(&all, &bytes, sizeof bytes);
  return all;
#endif
}
CORTADO_INLINE Vi from_bytes(uint64_t all) {
#if defined(__AVX2__)
  return reinterpret_cast<Vi>(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(all))));
#else
  Bytes bytes;
  memcpy(&bytes, &all, sizeof bytes);
  return __builtin_convertvector(bytes, Vi);
#endif
}
CORTADO_INLINE Vi load_part(const uint8_t* p, int64_t n) {
  uint64_t all = 0;
  if (n == kLanes) {
    memcpy(&all, p, kLanes);
  } else {
    for (int64_t i = 0; i < n; ++i) all |= uint64_t{p[i]} << (8 * i);
  }
  return from_bytes(all);
}
CORTADO_INLINE void store_part(uint8_t* p, Vi v, int64_t n) {
  const uint64_t all = bytes_of(v);
  if (n == kLanes) {
    memcpy(p, &all, kLanes);
    return;
  }
  for (int64_t i = 0; i < n; ++i) p[i] = static_cast<uint8_t>(all >> (8 * i));
}
#endif

// The same, fast where all lanes are wanted.
CORTADO_INLINE Vf load_lanes(const float* p, int64_t n) { return n == kLanes ? load(p) : load_part(p, n); }
CORTADO_INLINE void store_lanes(float* p, Vf v, int64_t n) {
  if (n == kLanes) {
    store(p, v);
  } else {
    store_part(p, v, n);
  }
}

CORTADO_INLINE void store_lanes(int32_t* p, Vi v, int64_t n) {
  if (n == kLanes) {
    store(p, v);
  } else {
    store_part(p, v, n);
  }
}

/// The first n lanes of numbers stored as bfloat16, the upper half of a float; the other lanes read as 0.
CORTADO_INLINE Vf load_lanes(const uint16_t* p, int64_t n) {
  uint16_t __attribute__((vector_size(2 * kLanes))) half{};
  if (n == kLanes) {
    memcpy(&half, p, sizeof half);
  } else {
    for (int64_t i = 0; i < n; ++i) half[i] = p[i];
  }
  return reinterpret_cast<Vf>(__builtin_convertvector(half, Vi) << 16);
}

/// base[index[i]] in each lane.
CORTADO_INLINE Vf gather(const float* base, Vi index) {
#if defined(__AVX512F__)
  return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), 0xffff, reinterpret_cast<__m512i>(index), base, 4);
#elif defined(__AVX2__)
  return _mm256_i32gather_ps(base, reinterpret_cast<__m256i>(index), 4);
#else
  Vf v;
  for (int i = 0; i < kLanes; ++i) v[i] = base[index[i]];
  return v;
#endif
}

/// Writes past the caches; p is aligned to the vector. For outputs much larger than the caches; end with stream_end().
CORTADO_INLINE void store_stream(float* p, Vf v) {
#if defined(__AVX512F__)
  _mm512_stream_ps(p, v);
#elif defined(__AVX2__)
  _mm256_stream_ps(p, v);
#else
  store(p, v);
#endif
}
CORTADO_INLINE void stream_end() {
#if defined(__AVX512F__) || defined(__AVX2__)
  _mm_sfence();
#endif
}

// ---- arithmetic

/// a * b + c, rounded once where the machine has FMA.
CORTADO_INLINE Vf fma(Vf a, Vf b, Vf c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX2__)
  return _mm256_fmadd_ps(a, b, c);
#elif defined(__ARM_NEON)
  return vfmaq_f32(c, a, b);
#else
  return a * b + c;
#endif
}

/// Where the mask is set a, elsewhere b.
CORTADO_INLINE Vf select(Vi mask, Vf a, Vf b) { return mask ? a : b; }
CORTADO_INLINE Vi select(Vi mask, Vi a, Vi b) { return mask ? a : b; }

// min is a < b ? a : b and max is a > b ? a : b on every machine: if either lane is NaN the answer is b. So max(zero(),
// x) keeps a NaN of x.
CORTADO_INLINE Vf min(Vf a, Vf b) {
#if defined(__AVX512F__)
  return _mm512_maskz_min_ps(0xffff, a, b);
#elif defined(__AVX2__)
  return _mm256_min_ps(a, b);
#else
  return a < b ? a : b;
#endif
}
CORTADO_INLINE Vf max(Vf a, Vf b) {
#if defined(__AVX512F__)
  return _mm512_maskz_max_ps(0xffff, a, b);
#elif defined(__AVX2__)
  return _mm256_max_ps(a, b);
#else
  return a > b ? a : b;
#endif
}
CORTADO_INLINE Vi min(Vi a, Vi b) { return a < b ? a : b; }
CORTADO_INLINE Vi max(Vi a, Vi b) { return a > b ? a : b; }

CORTADO_INLINE Vf sqrt(Vf a) {
#if defined(__AVX512F__)
  return _mm512_maskz_sqrt_ps(0xffff, a);
#elif defined(__AVX2__)
  return _mm256_sqrt_ps(a);
#elif defined(__aarch64__)
  return vsqrtq_f32(a);
#else
  Vf v;
  for (int i = 0; i < kLanes; ++i) v[i] = __builtin_sqrtf(a[i]);
  return v;
#endif
}

/// 1 / sqrt(a), right to kEstimateBits bits. NaN or infinity for 0.
#if defined(__AVX512F__)
constexpr int kEstimateBits = 14;
CORTADO_INLINE Vf estimate_inverse_sqrt(Vf a) { return _mm512_maskz_rsqrt14_ps(0xffff, a); }
#elif defined(__AVX2__)
constexpr int kEstimateBits = 11;
CORTADO_INLINE Vf estimate_inverse_sqrt(Vf a) { return _mm256_rsqrt_ps(a); }
#else
constexpr int kEstimateBits = 23;
CORTADO_INLINE Vf estimate_inverse_sqrt(Vf a) { return 1.0f / sqrt(a); }
#endif

/// 1 / sqrt(a) to 3 units in the last place: the estimate and one step of Newton's method. NaN for 0.
CORTADO_INLINE Vf inverse_sqrt(Vf a) {
  const Vf r = estimate_inverse_sqrt(a);
  return fma(r * 0.5f, fma(-a * r, r, splat(1.0f)), r);
}

// Arithmetic of lanes without sign, modulo 2^32.
CORTADO_INLINE Vi wrapping_add(Vi a, Vi b) {
  return reinterpret_cast<Vi>(reinterpret_cast<Vu>(a) + reinterpret_cast<Vu>(b));
}
CORTADO_INLINE Vi multiply_low(Vi a, Vi b) {
  return reinterpret_cast<Vi>(reinterpret_cast<Vu>(a) * reinterpret_cast<Vu>(b));
}

/// Upper halves of the 64-bit products of lanes without sign.
CORTADO_INLINE Vi multiply_high(Vi a, Vi b) {
#if defined(__AVX512F__)
  const auto x = reinterpret_cast<__m512i>(a), y = reinterpret_cast<__m512i>(b);
  const auto upper = [](__m512i v) { return _mm512_maskz_srli_epi64(0xff, v, 32); };
  const __m512i even = _mm512_maskz_mul_epu32(0xff, x, y), odd = _mm512_maskz_mul_epu32(0xff, upper(x), upper(y));
  return reinterpret_cast<Vi>(_mm512_mask_blend_epi32(0xaaaa, upper(even), odd));
#elif defined(__AVX2__)
  const auto x = reinterpret_cast<__m256i>(a), y = reinterpret_cast<__m256i>(b);
  const __m256i even = _mm256_mul_epu32(x, y),
                odd = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), _mm256_srli_epi64(y, 32));
  return reinterpret_cast<Vi>(_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa));
#else
  Vi v;
  for (int i = 0; i < kLanes; ++i) {
    v[i] = static_cast<int32_t>((uint64_t{static_cast<uint32_t>(a[i])} * static_cast<uint32_t>(b[i])) >> 32);
  }
  return v;
#endif
}

CORTADO_INLINE Vi bits(Vf a) { return reinterpret_cast<Vi>(a); }
CORTADO_INLINE Vf from_bits(Vi a) { return reinterpret_cast<Vf>(a); }
CORTADO_INLINE Vf abs(Vf a) { return from_bits(bits(a) & 0x7fffffff); }

CORTADO_INLINE Vf to_float(Vi a) { return __builtin_convertvector(a, Vf); }
/// Rounds towards zero.
CORTADO_INLINE Vi to_int(Vf a) { return __builtin_convertvector(a, Vi); }

// ---- across lanes

/// Lane j takes lane Index[j] of the 2 * kLanes lanes of a followed by b.
template <int... Index>
CORTADO_INLINE Vf shuffle(Vf a, Vf b) {
#if defined(__has_builtin) && __has_builtin(__builtin_shufflevector)
  return __builtin_shufflevector(a, b, Index...);
#else
  return __builtin_shuffle(a, b, Vi{Index...});
#endif
}

template <int... I>
struct Lanes {};
template <int N, int... I>
struct LanesTo : LanesTo<N - 1, N - 1, I...> {};
template <int... I>
struct LanesTo<0, I...> {
  using Type = Lanes<I...>;
};
using AllLanes = LanesTo<kLanes>::Type;

template <int Shift, int... I>
CORTADO_INLINE Vf rotate(Vf a, Lanes<I...>) {
  return shuffle<((I + Shift) % kLanes)...>(a, a);
}

/// Lanes of a and b in turns: the first half of the result, or the second.
template <int Half, int... I>
CORTADO_INLINE Vf interleave(Vf a, Vf b, Lanes<I...>) {
  return shuffle<(Half * kLanes / 2 + I / 2 + (I % 2 ? kLanes : 0))...>(a, b);
}

/// The reverse: lanes of even or odd number, of a and then of b.
template <int Odd, int... I>
CORTADO_INLINE Vf every_second(Vf a, Vf b, Lanes<I...>) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  // By pairs first: the compiler would move both across halves and blend them.
  const Vf pairs = shuffle<(I / 4 * 4 + I % 2 * 2 + Odd + (I % 4 > 1 ? kLanes : 0))...>(a, b);
  return shuffle<0, 1, 4, 5, 2, 3, 6, 7>(pairs, pairs);
#else
  return shuffle<(2 * I + Odd)...>(a, b);
#endif
}

/// Sum of all lanes, by halves.
CORTADO_INLINE float sum(Vf a) {
  if constexpr (kLanes > 8) a += rotate<8>(a, AllLanes{});
  if constexpr (kLanes > 4) a += rotate<4>(a, AllLanes{});
  a += rotate<2>(a, AllLanes{});
  a += rotate<1>(a, AllLanes{});
  return a[0];
}
/// Largest lane.
CORTADO_INLINE float largest(Vf a) {
  if constexpr (kLanes > 8) a = max(a, rotate<8>(a, AllLanes{}));
  if constexpr (kLanes > 4) a = max(a, rotate<4>(a, AllLanes{}));
  a = max(a, rotate<2>(a, AllLanes{}));
  a = max(a, rotate<1>(a, AllLanes{}));
  return a[0];
}

// Steps of the transposition below. In blocks of four lanes: those of a and b in turns, the first or the last two of
// each block; and the first or the last two of a, then of b.
template <int Half, int... I>
CORTADO_INLINE Vf in_turns(Vf a, Vf b, Lanes<I...>) {
  return shuffle<(I / 4 * 4 + 2 * Half + I % 4 / 2 + (I % 2 ? kLanes : 0))...>(a, b);
}
template <int Half, int... I>
CORTADO_INLINE Vf in_pairs(Vf a, Vf b, Lanes<I...>) {
  return shuffle<(I / 4 * 4 + 2 * Half + I % 2 + (I % 4 > 1 ? kLanes : 0))...>(a, b);
}
// Exchanges the blocks of v whose row and column differ in the bit Half.
template <int Half, int... I>
CORTADO_INLINE void transpose_blocks(Vf (&v)[kLanes], Lanes<I...>) {
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) {
    if (i & Half) continue;
    const Vf a = v[i], b = v[i + Half];
    v[i] = shuffle<(I & Half ? kLanes + I - Half : I)...>(a, b);
    v[i + Half] = shuffle<(I & Half ? kLanes + I : I + Half)...>(a, b);
  }
}

/// Transposes a square of kLanes vectors.
CORTADO_INLINE void transpose(Vf (&v)[kLanes]) {
#pragma GCC unroll 4
  for (int i = 0; i < kLanes; i += 4) {
    const AllLanes all;
    const Vf a = in_turns<0>(v[i], v[i + 1], all), b = in_turns<1>(v[i], v[i + 1], all);
    const Vf c = in_turns<0>(v[i + 2], v[i + 3], all), d = in_turns<1>(v[i + 2], v[i + 3], all);
    v[i] = in_pairs<0>(a, c, all), v[i + 1] = in_pairs<1>(a, c, all);
    v[i + 2] = in_pairs<0>(b, d, all), v[i + 3] = in_pairs<1>(b, d, all);
  }
  if constexpr (kLanes > 4) transpose_blocks<4>(v, AllLanes{});
  if constexpr (kLanes > 8) transpose_blocks<8>(v, AllLanes{});
}

}  // namespace
}  // namespace cortado::CORTADO_ISA
