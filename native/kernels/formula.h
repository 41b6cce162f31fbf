#pragma once

#include <stdint.h>
#include <string.h>

#include "../core/tensor.h"

/// Marks a formula that every device compiles: one element's arithmetic, without loops over memory.
#if defined(__CUDACC__)
#define CORTADO_FORMULA __host__ __device__ __forceinline__
#else
#define CORTADO_FORMULA CORTADO_INLINE
#endif

/// Unrolls the loop behind it, of n rounds; nvcc does so by itself.
#if defined(__CUDACC__)
#define CORTADO_UNROLL(n)
#else
#define CORTADO_PRAGMA(text) _Pragma(#text)
#define CORTADO_UNROLL(n) CORTADO_PRAGMA(GCC unroll n)
#endif

namespace cortado::CORTADO_ISA {
CORTADO_FORMULA uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}
CORTADO_FORMULA float float_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

}  // namespace cortado::CORTADO_ISA
