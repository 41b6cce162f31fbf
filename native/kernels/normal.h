#pragma once

#include "functions.h"
#include "random.h"

namespace cortado::CORTADO_ISA {
/// Two independent normal numbers of mean 0 and deviation 1.
struct NormalPair {
  float first, second;
};

/// Box and Muller 1958: radius sqrt(-2 log u), angle 2 pi v; the cosine first. The angle's quadrant is taken from the
/// bits of v, which leaves sine and cosine of at most pi / 4 (polynomials of Moshier 1989).
CORTADO_FORMULA NormalPair normal_pair(uint32_t u, uint32_t v) {
  const float radius = __builtin_sqrtf(-2.0f * logarithm((static_cast<float>(u) + 0.5f) * 0x1p-32f));
  const uint32_t quadrant = (v + 0x20000000u) >> 30;
  const auto rest = static_cast<int32_t>(v - (quadrant << 30));
  const float angle = (static_cast<float>(rest) + 0.5f) * 1.46291807926716e-9f;  // 2 pi / 2^32
  const float z = angle * angle;
  const float sine = ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z * angle + angle;
  const float cosine =
      ((2.443315711809948e-5f * z - 1.388731625493765e-3f) * z + 4.166664568298827e-2f) * z * z - 0.5f * z + 1.0f;
  const bool turned = (quadrant & 1) != 0;
  const float x = turned ? -sine : cosine, y = turned ? cosine : sine;
  const float sign = (quadrant & 2) != 0 ? -radius : radius;
  return {sign * x, sign * y};
}

}  // namespace cortado::CORTADO_ISA
