// Products with so few rows that they wait for memory: the big factor is streamed once, and nothing is packed.
#pragma once

#include "../core/threads.h"
#include "gemm_grid.h"

namespace cortado::CORTADO_ISA {
namespace {

constexpr int64_t kFewRows = 4;

/// Extents of C (rows, columns) = A (rows, depth) B + bias, rectified if relu; rows <= kFewRows. bias is one number a
/// column, or nullptr. B is stored as float, or as uint16_t: bfloat16.
template <class Stored>
struct FewRows {
  int64_t rows, columns, depth;
  const float* a;
  const Stored* b;
  const float* bias;
  bool relu;
  float* c;
  int64_t stride = depth;  // between rows of a B of shape (columns, depth)
};

/// `Columns` columns of C for a B of shape (columns, depth): as many dot products at once as there are registers.
template <int Rows, int Columns, class Stored>
CORTADO_INLINE void few_dots(const FewRows<Stored>& p, int64_t column) {
  Vf total[Columns][Rows] = {};
  const Stored* b = p.b + column * p.stride;
  int64_t k = 0;
  for (; k + kLanes <= p.depth; k += kLanes) {
#pragma GCC unroll 4
    for (int j = 0; j < Columns; ++j) {
      const Vf weight = load_lanes(b + j * p.stride + k, kLanes);
#pragma GCC unroll 4
      for (int i = 0; i < Rows; ++i) total[j][i] = fma(weight, load(p.a + i * p.depth + k), total[j][i]);
    }
  }
  const int64_t rest = p.depth - k;
  for (int j = 0; j < Columns; ++j) {
    for (int i = 0; i < Rows; ++i) {
      const Vf last = load_lanes(b + j * p.stride + k, rest) * load_part(p.a + i * p.depth + k, rest);
      const float value = sum(total[j][i] + last) + (p.bias == nullptr ? 0.0f : p.bias[column + j]);
      p.c[i * p.columns + column + j] = p.relu && value < 0 ? 0.0f : value;
    }
  }
}

template <int Rows, class Stored>
inline void few_rows_dots(Threads& team, const FewRows<Stored>& p) {
  constexpr int kAtOnce = kRegisters > 16 || Rows < 4 ? 4 : 2;
  for_slices(team, divide_up(p.columns, kAtOnce), 1, [&](int64_t begin, int64_t end) {
    int64_t column = begin * kAtOnce;
    for (; column + kAtOnce <= smaller(p.columns, end * kAtOnce); column += kAtOnce) few_dots<Rows, kAtOnce>(p, column);
    for (; column < smaller(p.columns, end * kAtOnce); ++column) few_dots<Rows, 1>(p, column);
  });
}

/// For a B of shape (columns, depth).
template <class Stored>
inline void multiply_few_by_rows(Threads& team, const FewRows<Stored>& p) {
  if (p.rows == 1) return few_rows_dots<1>(team, p);
  if (p.rows == 2) return few_rows_dots<2>(team, p);
  if (p.rows == 3) return few_rows_dots<3>(team, p);
  return few_rows_dots<4>(team, p);
}

/// C(., begin to end) += Depth rows of B from k on.
template <int Rows, int Depth>
CORTADO_INLINE void few_sums(const FewRows<float>& p, int64_t k, int64_t begin, int64_t end) {
  const float* b = p.b + k * p.columns;
  for (int64_t j = begin; j < end; j += kLanes) {
    const int64_t lanes = smaller(kLanes, end - j);
    const bool whole = lanes == kLanes;
    Vf total[Rows];
#pragma GCC unroll 4
    for (int i = 0; i < Rows; ++i)
      total[i] = whole ? load(p.c + i * p.columns + j) : load_part(p.c + i * p.columns + j, lanes);
#pragma GCC unroll 8
    for (int d = 0; d < Depth; ++d) {
      const Vf weight = whole ? load(b + d * p.columns + j) : load_part(b + d * p.columns + j, lanes);
#pragma GCC unroll 4
      for (int i = 0; i < Rows; ++i) total[i] = fma(splat(p.a[i * p.depth + k + d]), weight, total[i]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < Rows; ++i) {
      if (whole) {
        store(p.c + i * p.columns + j, total[i]);
      } else {
        store_part(p.c + i * p.columns + j, total[i], lanes);
      }
    }
  }
}

template <int Rows>
inline void few_rows_sums(Threads& team, const FewRows<float>& p) {
  constexpr int64_t kBlock = 1024;  // columns of C that stay in the first-level cache while B goes by
  const int64_t units = divide_up(p.columns, kLanes);
  for_slices(team, units, 1, [&](int64_t first, int64_t last) {
    for (int64_t begin = first * kLanes, stop = smaller(p.columns, last * kLanes); begin < stop; begin += kBlock) {
      const int64_t end = smaller(stop, begin + kBlock);
      for (int i = 0; i < Rows; ++i) {
        float* row = p.c + i * p.columns;
        for (int64_t j = begin; j < end; ++j) row[j] = p.bias == nullptr ? 0.0f : p.bias[j];
      }
      int64_t k = 0;
      for (; k + 8 <= p.depth; k += 8) few_sums<Rows, 8>(p, k, begin, end);
      for (; k < p.depth; ++k) few_sums<Rows, 1>(p, k, begin, end);
      for (int i = 0; p.relu && i < Rows; ++i) {
        float* row = p.c + i * p.columns;
        for (int64_t j = begin; j < end; ++j) row[j] = row[j] < 0 ? 0.0f : row[j];
      }
    }
  });
}

/// For a B of shape (depth, columns).
inline void multiply_few_by_columns(Threads& team, const FewRows<float>& p) {
  if (p.rows == 1) return few_rows_sums<1>(team, p);
  if (p.rows == 2) return few_rows_sums<2>(team, p);
  if (p.rows == 3) return few_rows_sums<3>(team, p);
  return few_rows_sums<4>(team, p);
}

}  // namespace
}  // namespace cortado::CORTADO_ISA
