// The transforms of Winograd's minimal filtering, on vectors and on doubles.
#pragma once

#include "simd.h"

namespace cortado::CORTADO_ISA {
namespace {

CORTADO_INLINE double fma(double a, double b, double c) { return a * b + c; }

}  // namespace
}  // namespace cortado::CORTADO_ISA

#include "../kernels/winograd.h"
