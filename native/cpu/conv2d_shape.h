// Planes in frames, for convolutions.
#pragma once

#include "../kernels/products.h"
#include "elementwise.h"
#include "gemm_grid.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Copies `planes` planes of height x width into planes of frame_height x frame_width whose corner lies at (top, left)
/// of the plane; what lies outside the plane is zero, and what lies outside the frame is left out. top and left are <=
/// 0.
inline void copy_framed(const float* from, int64_t planes, int64_t height, int64_t width, int64_t top, int64_t left,
                        float* to, int64_t frame_height, int64_t frame_width) {
  const int64_t rows = larger(0, smaller(height, frame_height + top));
  const int64_t columns = larger(0, smaller(width, frame_width + left));
  for (int64_t plane = 0; plane < planes; ++plane) {
    const float* source = from + plane * height * width;
    float* target = to + plane * frame_height * frame_width;
    memset(target, 0, static_cast<size_t>(frame_height * frame_width) * sizeof(float));
    for (int64_t y = 0; y < rows; ++y) {
      float* row = target + (y - top) * frame_width - left;
      memcpy(row, source + y * width, static_cast<size_t>(columns) * sizeof(float));
    }
  }
}

}  // namespace
}  // namespace cortado::CORTADO_ISA
