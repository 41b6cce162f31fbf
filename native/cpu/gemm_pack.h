// Transposition through registers: how factors get into panels, and products out of them.
#pragma once

#include "simd.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Calls emit(column, row, count, v) for every piece of every column of a rows x columns matrix, row-major with the
/// given stride; v holds the `count` elements from `row` on, and zeros after them.
template <class Emit>
CORTADO_INLINE void each_column(const float* from, int64_t stride, int64_t rows, int64_t columns, const Emit& emit) {
  for (int64_t row = 0; row < rows; row += kLanes) {
    const int64_t height = rows - row < kLanes ? rows - row : kLanes;
    const float* band = from + row * stride;
    for (int64_t column = 0; column < columns; column += kLanes) {
      const int64_t width = columns - column < kLanes ? columns - column : kLanes;
      Vf v[kLanes];
      if (height == kLanes && width == kLanes) {
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) v[i] = load(band + i * stride + column);
      } else {
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) v[i] = i < height ? load_part(band + i * stride + column, width) : zero();
      }
      transpose(v);
#pragma GCC unroll 16
      for (int j = 0; j < kLanes; ++j) {
        if (j < width) emit(column + j, row, height, v[j]);
      }
    }
  }
}

/// to(k, j) = from[j * from_stride + k] for j < lanes and k < depth; zeros fill the last vector of each row.
inline void pack_transposed(const float* from, int64_t from_stride, int64_t lanes, int64_t depth, float* to,
                            int64_t to_stride) {
  each_column(from, from_stride, lanes, depth,
              [&](int64_t k, int64_t j, int64_t, Vf v) { store(to + k * to_stride + j, v); });
}

/// to(k, j) = from[k * from_stride + j] for j < lanes and k < depth; zeros fill the last vector of each row.
inline void pack_straight(const float* from, int64_t from_stride, int64_t lanes, int64_t depth, float* to,
                          int64_t to_stride) {
  for (int64_t k = 0; k < depth; ++k) {
    const float* row = from + k * from_stride;
    int64_t j = 0;
    for (; j + kLanes <= lanes; j += kLanes) store(to + k * to_stride + j, load(row + j));
    if (j < lanes) store(to + k * to_stride + j, load_part(row + j, lanes - j));
  }
}

}  // namespace
}  // namespace cortado::CORTADO_ISA
