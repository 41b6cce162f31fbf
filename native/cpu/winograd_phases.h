// A convolution with a stride of s pixels is one without, of s x s times as many channels: the phases of the image's
// rows and columns (y s + i, x s + j) are channels of their own, and the taps of a filter are divided among them. So
// AlexNet's first layer, 11 x 11 taps of 3 channels with a stride of 4, becomes 3 x 3 taps of 48.
#pragma once

#include "winograd_shape.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Filters of kernel x kernel taps with a stride each way. Channel q of the convolution without is phase
/// (q / stride % stride, q % stride) of channel q / stride^2.
struct Phases {
  int64_t kernel, stride;

  CORTADO_INLINE int64_t count() const { return stride * stride; }
  /// Taps of a phase each way.
  CORTADO_INLINE int64_t taps() const { return divide_up(kernel, stride); }
  /// Where tap (row, column) of channel q lies in a filter, or -1: the last taps of some phases do not exist.
  CORTADO_INLINE int64_t tap(int64_t q, int64_t row, int64_t column) const {
    const int64_t y = row * stride + q / stride % stride, x = column * stride + q % stride;
    return y < kernel && x < kernel ? (q / count() * kernel + y) * kernel + x : -1;
  }
};

/// Planes of height x width pixels, one for each channel, whose phases are read with a frame of zeros around them.
struct PhasedImage {
  const float* planes;
  int64_t height, width, pad_h, pad_w, stride;

  /// gather_lanes() of kLanes channels of the phases from `channel` on, of which `lanes` exist.
  void gather(int64_t channel, int64_t lanes, int64_t top, int64_t rows, int64_t left, int64_t columns,
              float* to) const {
    for (int64_t row = 0; row < rows; ++row, to += columns * kLanes) {
      for (int64_t x = 0; lanes < kLanes && x < columns; ++x) store(to + x * kLanes, zero());
      // Channels that differ in the column alone lie beside each other in the image.
      for (int64_t lane = 0; lane < lanes;) {
        const int64_t q = channel + lane, first = q % stride, count = smaller(stride - first, lanes - lane);
        const int64_t y = (top + row) * stride + q / stride % stride - pad_h;
        const bool inside = y >= 0 && y < height;
        const float* line = inside ? planes + (q / (stride * stride) * height + y) * width : nullptr;
        copy(line, left * stride + first - pad_w, count, columns, to + lane);
        lane += count;
      }
    }
  }

 private:
  /// `count` pixels of a row from x, x + stride, ... on, to every vector; zeros beside the row, and without one.
  CORTADO_INLINE void copy(const float* line, int64_t x, int64_t count, int64_t columns, float* to) const {
    for (int64_t i = 0; i < columns; ++i, x += stride, to += kLanes) {
      if (line != nullptr && x >= 0 && x + count <= width) {
        if (count == 4) {
          memcpy(to, line + x, 4 * sizeof(float));
        } else {
          for (int64_t j = 0; j < count; ++j) to[j] = line[x + j];
        }
      } else {
        for (int64_t j = 0; j < count; ++j) {
          to[j] = line != nullptr && x + j >= 0 && x + j < width ? line[x + j] : 0.0f;
        }
      }
    }
  }
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
