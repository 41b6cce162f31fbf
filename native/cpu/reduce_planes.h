// The gradient of a bias: sums over everything but one dimension.
#pragma once

#include "../core/threads.h"
#include "simd.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Sum of n floats, in four interleaved vectors of partial sums.
inline float sum_of(const float* x, int64_t n) {
  Vf part[4] = {};
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) part[j] += load(x + i + j * kLanes);
  }
  for (; i + kLanes <= n; i += kLanes) part[0] += load(x + i);
  if (i < n) part[1] += load_part(x + i, n - i);
  return sum((part[0] + part[1]) + (part[2] + part[3]));
}

/// to(plane) = sum of x (images, planes, pixels) over images and pixels.
inline void sum_planes(Threads& team, const float* x, int64_t images, int64_t planes, int64_t pixels, float* to) {
  for_slices(team, planes, 1, [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane) {
      double total = 0;
      for (int64_t image = 0; image < images; ++image) {
        total += static_cast<double>(sum_of(x + (image * planes + plane) * pixels, pixels));
      }
      to[plane] = static_cast<float>(total);
    }
  });
}

/// to(column) = sum of x (rows, columns) over its rows.
inline void sum_rows(Threads& team, const float* x, int64_t rows, int64_t columns, float* to) {
  constexpr int64_t kFew = 64;  // columns summed at once, in registers or nearly
  for_slices(team, (columns + kFew - 1) / kFew, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin * kFew; block < end * kFew && block < columns; block += kFew) {
      const int64_t stop = block + kFew < columns ? block + kFew : columns;
      for (int64_t j = block; j < stop; j += kLanes) {
        const int64_t lanes = stop - j < kLanes ? stop - j : kLanes;
        Vf total = zero();
        for (int64_t row = 0; row < rows; ++row) total += load_part(x + row * columns + j, lanes);
        store_part(to + j, total, lanes);
      }
    }
  });
}

}  // namespace
}  // namespace cortado::CORTADO_ISA
