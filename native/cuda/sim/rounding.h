#pragma once

#include "../../kernels/halves.h"

namespace cortado::sim {

using namespace CORTADO_ISA;

/// As tensor cores read float32: ten digits behind the point.
inline float to_tf32(float x) {
  const uint32_t bits = bits_of(x);
  if ((bits & 0x7f800000) == 0x7f800000) return x;
  return float_of((bits + 0xfff + (bits >> 13 & 1)) & ~0x1fffu);
}

}  // namespace cortado::sim
