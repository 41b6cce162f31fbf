// Winograd's minimal filtering F(m x m, r x r) on tiles of 7 x 7, m + r = 8 (Lavin & Gray 2016, "Fast algorithms for
// convolutional neural networks"): a tile of the source and a filter are polynomials, whose product is found point by
// point. 49 products make m x m outputs of r x r taps each: 4.6 times fewer than directly for F(3, 5), 3.4 times for
// F(5, 3).
//
// The points are three pairs +-p and infinity. Pairs let even and odd powers be shared, which halves the transforms;
// among all triples of simple fractions these lose the least to rounding, and their powers are exact in float32.
#pragma once

#include "simd.h"

namespace cortado::CORTADO_ISA {
namespace {

constexpr int kWinogradTile = 7;  // points, and pixels of a tile each way
constexpr int kWinogradPoints = kWinogradTile * kWinogradTile;

constexpr double kPoint[3] = {1.0 / 4, 7.0 / 8, 7.0 / 4};

CORTADO_INLINE constexpr double raised(double x, int n) {
  double y = 1;
  for (int i = 0; i < n; ++i) y *= x;
  return y;
}

/// The other two points' squares, of point i.
struct Others {
  double sum, product;
  CORTADO_INLINE constexpr explicit Others(int i)
      : sum(raised(kPoint[(i + 1) % 3], 2) + raised(kPoint[(i + 2) % 3], 2)),
        product(raised(kPoint[(i + 1) % 3] * kPoint[(i + 2) % 3], 2)) {}
};

/// Order of the results everywhere: +p0, -p0, +p1, -p1, +p2, -p2, infinity.
///
/// Lagrange's denominators, which are taken out of interpolate() and put into the filters, once a run:
/// 1 / product of (point - every other finite point).
CORTADO_INLINE constexpr float lagrange(int at) {
  if (at == 6) return 1.0f;
  const Others others(at / 2);
  const double p = kPoint[at / 2], denominator = 2 * p * (raised(p, 4) - others.sum * raised(p, 2) + others.product);
  return static_cast<float>((at % 2 == 0 ? 1 : -1) / denominator);
}

template <int I>
CORTADO_INLINE constexpr float point_raised(int n) {
  return static_cast<float>(raised(kPoint[I], n));
}

/// B^T d: the source's 7 pixels to 7 values. Row +-p of B^T holds the coefficients of the product of (x - every other
/// finite point), which is (x +- p) (x^2 - b^2) (x^2 - c^2); the last row those of all three pairs' product.
struct Interpolate {
  static constexpr int kIn = kWinogradTile, kOut = kWinogradTile;

  CORTADO_INLINE static void apply(const Vf (&d)[kIn], Vf (&v)[kOut]) {
    pair<0>(d, v);
    pair<1>(d, v);
    pair<2>(d, v);
    constexpr Others last(2);
    constexpr double square = raised(kPoint[2], 2);
    Vf sum = fma(splat(static_cast<float>(-last.sum - square)), d[4], d[6]);
    sum = fma(splat(static_cast<float>(last.product + last.sum * square)), d[2], sum);
    v[6] = fma(splat(static_cast<float>(-last.product * square)), d[0], sum);
  }

 private:
  template <int I>
  CORTADO_INLINE static void pair(const Vf (&d)[kIn], Vf (&v)[kOut]) {
    constexpr Others others(I);
    const Vf sum = splat(static_cast<float>(-others.sum)), product = splat(static_cast<float>(others.product));
    const Vf odd = fma(product, d[1], fma(sum, d[3], d[5])), even = fma(product, d[0], fma(sum, d[2], d[4]));
    v[2 * I] = fma(splat(point_raised<I>(1)), even, odd);
    v[2 * I + 1] = fma(splat(-point_raised<I>(1)), even, odd);
  }
};

/// G g without Lagrange's denominators, and A y: the polynomial of N coefficients at the 7 points.
template <int N>
struct AtPoints {
  static constexpr int kIn = N, kOut = kWinogradTile;

  CORTADO_INLINE static void apply(const Vf (&g)[kIn], Vf (&u)[kOut]) {
    pair<0>(g, u);
    pair<1>(g, u);
    pair<2>(g, u);
    u[6] = g[N - 1];
  }

 private:
  template <int I>
  CORTADO_INLINE static void pair(const Vf (&g)[kIn], Vf (&u)[kOut]) {
    Vf even = g[0], odd = splat(point_raised<I>(1)) * g[1];
#pragma GCC unroll 5
    for (int n = 2; n < N; n += 2) even = fma(splat(point_raised<I>(n)), g[n], even);
#pragma GCC unroll 5
    for (int n = 3; n < N; n += 2) odd = fma(splat(point_raised<I>(n)), g[n], odd);
    u[2 * I] = even + odd;
    u[2 * I + 1] = even - odd;
  }
};

/// A^T m, and G^T u without Lagrange's denominators: the transpose of AtPoints<N>, 7 points to N numbers.
template <int N>
struct FromPoints {
  static constexpr int kIn = kWinogradTile, kOut = N;

  CORTADO_INLINE static void apply(const Vf (&m)[kIn], Vf (&y)[kOut]) {
    Vf sum[3], difference[3];
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) {
      sum[i] = m[2 * i] + m[2 * i + 1];
      difference[i] = m[2 * i] - m[2 * i + 1];
    }
    y[0] = sum[0] + sum[1] + sum[2];
#pragma GCC unroll 5
    for (int n = 1; n < N; ++n) {
      const Vf(&term)[3] = n % 2 == 0 ? sum : difference;
      y[n] = splat(point_raised<0>(n)) * term[0];
      y[n] = fma(splat(point_raised<1>(n)), term[1], y[n]);
      y[n] = fma(splat(point_raised<2>(n)), term[2], y[n]);
    }
    y[N - 1] += m[6];
  }
};

/// The same along rows, then along columns: get(i, j) gives a square of kIn, put(i, j, v) takes one of kOut.
template <class Transform, class Get, class Put>
CORTADO_INLINE void transform_square(const Get& get, const Put& put) {
  constexpr int kIn = Transform::kIn, kOut = Transform::kOut;
  Vf half[kOut][kIn];
#pragma GCC unroll 7
  for (int i = 0; i < kIn; ++i) {
    Vf row[kIn], to[kOut];
#pragma GCC unroll 7
    for (int j = 0; j < kIn; ++j) row[j] = get(i, j);
    Transform::apply(row, to);
#pragma GCC unroll 7
    for (int j = 0; j < kOut; ++j) half[j][i] = to[j];
  }
#pragma GCC unroll 7
  for (int j = 0; j < kOut; ++j) {
    Vf to[kOut];
    Transform::apply(half[j], to);
#pragma GCC unroll 7
    for (int i = 0; i < kOut; ++i) put(i, j, to[i]);
  }
}

}  // namespace
}  // namespace cortado::CORTADO_ISA
