// Winograd's minimal filtering F(m x m, r x r) on square tiles of m + r - 1 pixels (Lavin & Gray 2016, "Fast algorithms
// for convolutional neural networks"): a tile of the source and a filter are polynomials, whose product is found point
// by point. Tiles of 7 serve F(3, 5), F(4, 4) and F(5, 3), whose 49 products make outputs with 4.6, 5.2 and 4.6 times
// fewer multiplications than directly; tiles of 8 serve F(4, 5), 6.3 times fewer at 1.6 times F(3, 5)'s error.
//
// The points are three pairs +-p, zero where tiles are of 8, and infinity. Pairs let even and odd powers be shared,
// which halves the transforms. Among all triples of simple fractions these lose the least to rounding, and their powers
// are exact in float32.
//
// V is what numbers are worked on as: one float or double, or the lanes of a vector. Its fma() is to be there before
// this file.
#pragma once

#include <math.h>

#include "formula.h"

/// Unrolls the loop behind it, of n rounds, whose arrays are to lie in registers; nvcc would not do so by itself.
#if defined(__CUDA_ARCH__)
#define CORTADO_UNROLL_ALL(n) _Pragma("unroll")
#else
#define CORTADO_UNROLL_ALL(n) CORTADO_UNROLL(n)
#endif

namespace cortado::CORTADO_ISA {

/// Pixels of a tile, and points, each way.
CORTADO_FORMULA constexpr int64_t points_of(int64_t tile) { return tile * tile; }

template <int Tile>
CORTADO_FORMULA constexpr double point_of_pair(int i) {
  if (Tile == 7) return i == 0 ? 1.0 / 4 : i == 1 ? 7.0 / 8 : 7.0 / 4;
  return i == 0 ? 1.0 / 2 : i == 1 ? 1.0 : 2.0;
}

CORTADO_FORMULA constexpr double raised(double x, int n) {
  double y = 1;
  for (int i = 0; i < n; ++i) y *= x;
  return y;
}

/// The squares of the other two pairs, of pair i.
template <int Tile>
struct Others {
  double sum, product;
  CORTADO_FORMULA constexpr explicit Others(int i)
      : sum(raised(point_of_pair<Tile>((i + 1) % 3), 2) + raised(point_of_pair<Tile>((i + 2) % 3), 2)),
        product(raised(point_of_pair<Tile>((i + 1) % 3) * point_of_pair<Tile>((i + 2) % 3), 2)) {}
};

/// Order of the results everywhere: +p0, -p0, +p1, -p1, +p2, -p2, zero where there is one, infinity.
///
/// Lagrange's denominators, which are taken out of interpolate() and put into the filters, once a run:
/// 1 / product of (point - every other finite point).
template <int Tile>
CORTADO_FORMULA constexpr double lagrange(int at) {
  if (at == Tile - 1) return 1;
  if (at == 6) return -1 / (raised(point_of_pair<Tile>(2), 2) * Others<Tile>(2).product);
  const Others<Tile> others(at / 2);
  const double p = point_of_pair<Tile>(at / 2),
               pairs = 2 * p * (raised(p, 4) - others.sum * raised(p, 2) + others.product);
  const int sign = at % 2 == 0 ? 1 : -1;
  return Tile == 8 ? 1 / (pairs * p) : sign / pairs;
}

/// Tables that are made when this is compiled: nvcc would leave their arithmetic to the GPU.
template <int Tile>
struct LagrangeTable {
  float of[Tile][Tile] = {};
  CORTADO_FORMULA constexpr LagrangeTable() {
    for (int row = 0; row < Tile; ++row) {
      for (int column = 0; column < Tile; ++column)
        of[row][column] = static_cast<float>(lagrange<Tile>(row) * lagrange<Tile>(column));
    }
  }
};
template <int Tile, int I>
struct PowerTable {
  float of[5] = {};
  CORTADO_FORMULA constexpr PowerTable() {
    for (int n = 0; n < 5; ++n) of[n] = static_cast<float>(raised(point_of_pair<Tile>(I), n));
  }
};

/// The same at both points of a square's row and column.
template <int Tile>
CORTADO_FORMULA constexpr float lagrange(int row, int column) {
  constexpr LagrangeTable<Tile> table;
  return table.of[row][column];
}

/// A number as V.
template <class V>
CORTADO_FORMULA V like(float x) {
  return x - V{};  // x - 0 is x, even for -0
}

template <int Tile, int I>
CORTADO_FORMULA constexpr float point_raised(int n) {
  constexpr PowerTable<Tile, I> table;
  return table.of[n];
}

/// B^T d: the source's pixels to as many values. Row +-p of B^T holds the coefficients of the product of (x - every
/// other finite point), which is (x +- p) (x^2 - b^2) (x^2 - c^2), times x where zero is a point; the last rows those
/// of all three pairs' product, times x for infinity then.
template <int Tile>
struct Interpolate {
  static constexpr int kIn = Tile, kOut = Tile;

  template <class V>
  CORTADO_FORMULA static void apply(const V (&d)[kIn], V (&v)[kOut]) {
    pair<0>(d, v);
    pair<1>(d, v);
    pair<2>(d, v);
    v[6] = all_pairs(d[0], d[2], d[4], d[6]);
    if constexpr (Tile == 8) v[7] = all_pairs(d[1], d[3], d[5], d[7]);
  }

 private:
  template <int I, class V>
  CORTADO_FORMULA static void pair(const V (&d)[kIn], V (&v)[kOut]) {
    constexpr Others<Tile> others(I);
    constexpr int kZero = Tile - 7;
    const V sum = like<V>(static_cast<float>(-others.sum)), product = like<V>(static_cast<float>(others.product));
    const V odd = fma(product, d[1 + kZero], fma(sum, d[3 + kZero], d[5 + kZero])),
            even = fma(product, d[kZero], fma(sum, d[2 + kZero], d[4 + kZero]));
    v[2 * I] = fma(like<V>(point_raised<Tile, I>(1)), even, odd);
    v[2 * I + 1] = fma(like<V>(-point_raised<Tile, I>(1)), even, odd);
  }

  template <class V>
  CORTADO_FORMULA static V all_pairs(V a, V b, V c, V d) {
    constexpr Others<Tile> last(2);
    constexpr double square = raised(point_of_pair<Tile>(2), 2);
    V sum = fma(like<V>(static_cast<float>(-last.sum - square)), c, d);
    sum = fma(like<V>(static_cast<float>(last.product + last.sum * square)), b, sum);
    return fma(like<V>(static_cast<float>(-last.product * square)), a, sum);
  }
};

/// G g without Lagrange's denominators, and A y: the polynomial of N coefficients at the points.
template <int Tile, int N>
struct AtPoints {
  static constexpr int kIn = N, kOut = Tile;

  template <class V>
  CORTADO_FORMULA static void apply(const V (&g)[kIn], V (&u)[kOut]) {
    pair<0>(g, u);
    pair<1>(g, u);
    pair<2>(g, u);
    if constexpr (Tile == 8) u[6] = g[0];
    u[Tile - 1] = g[N - 1];
  }

 private:
  template <int I, class V>
  CORTADO_FORMULA static void pair(const V (&g)[kIn], V (&u)[kOut]) {
    V even = g[0], odd = like<V>(point_raised<Tile, I>(1)) * g[1];
    CORTADO_UNROLL_ALL(5)
    for (int n = 2; n < N; n += 2) even = fma(like<V>(point_raised<Tile, I>(n)), g[n], even);
    CORTADO_UNROLL_ALL(5)
    for (int n = 3; n < N; n += 2) odd = fma(like<V>(point_raised<Tile, I>(n)), g[n], odd);
    u[2 * I] = even + odd;
    u[2 * I + 1] = even - odd;
  }
};

/// A^T m, and G^T u without Lagrange's denominators: the transpose of AtPoints<Tile, N>, points to N numbers.
template <int Tile, int N>
struct FromPoints {
  static constexpr int kIn = Tile, kOut = N;

  template <class V>
  CORTADO_FORMULA static void apply(const V (&m)[kIn], V (&y)[kOut]) {
    V sum[3], difference[3];
    CORTADO_UNROLL_ALL(3)
    for (int i = 0; i < 3; ++i) {
      sum[i] = m[2 * i] + m[2 * i + 1];
      difference[i] = m[2 * i] - m[2 * i + 1];
    }
    y[0] = sum[0] + sum[1] + sum[2];
    if constexpr (Tile == 8) y[0] += m[6];
    CORTADO_UNROLL_ALL(5)
    for (int n = 1; n < N; ++n) {
      const V(&term)[3] = n % 2 == 0 ? sum : difference;
      y[n] = like<V>(point_raised<Tile, 1>(n)) * term[1];  // nothing to do where the point is 1
      y[n] = fma(like<V>(point_raised<Tile, 0>(n)), term[0], y[n]);
      y[n] = fma(like<V>(point_raised<Tile, 2>(n)), term[2], y[n]);
    }
    y[N - 1] += m[Tile - 1];
  }
};

/// The same along rows, then along columns: get(i, j) gives a square of kIn, put(i, j, v) takes one of kOut.
template <class Transform, class Get, class Put>
CORTADO_FORMULA void transform_square(const Get& get, const Put& put) {
  constexpr int kIn = Transform::kIn, kOut = Transform::kOut;
  using V = decltype(get(0, 0));
  V half[kOut][kIn];
  CORTADO_UNROLL_ALL(8)
  for (int i = 0; i < kIn; ++i) {
    V row[kIn], to[kOut];
    CORTADO_UNROLL_ALL(8)
    for (int j = 0; j < kIn; ++j) row[j] = get(i, j);
    Transform::apply(row, to);
    CORTADO_UNROLL_ALL(8)
    for (int j = 0; j < kOut; ++j) half[j][i] = to[j];
  }
  CORTADO_UNROLL_ALL(8)
  for (int j = 0; j < kOut; ++j) {
    V to[kOut];
    Transform::apply(half[j], to);
    CORTADO_UNROLL_ALL(8)
    for (int i = 0; i < kOut; ++i) put(i, j, to[i]);
  }
}

}  // namespace cortado::CORTADO_ISA
