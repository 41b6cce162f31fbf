#pragma once

#include "../core/kernel.h"
#include "simd.h"

namespace cortado::CORTADO_ISA {

/// The bits of the largest magnitude among this thread's part of x. As integers magnitudes are in order, with infinity
/// and NaN above all others.
inline int32_t largest_of(const Tensor& x, int thread, int threads) {
  const int64_t begin = x.size() * thread / threads, end = x.size() * (thread + 1) / threads;
  int32_t largest = 0;
  for (int64_t i = begin; i < end; ++i) {
    int32_t bits;
    memcpy(&bits, x.f32() + i, sizeof bits);
    bits &= 0x7fffffff;
    largest = bits > largest ? bits : largest;
  }
  return largest;
}

/// The same of all of x; `parts` holds a number for each thread.
inline float largest_magnitude(const Run& run, const Tensor& x, int32_t* parts) {
  on_every_thread(run.threads, [&](int thread, int threads) { parts[thread] = largest_of(x, thread, threads); });
  int32_t largest = 0;
  for (int thread = 0; thread < run.threads.count(); ++thread)
    largest = parts[thread] > largest ? parts[thread] : largest;
  float magnitude;
  memcpy(&magnitude, &largest, sizeof magnitude);
  return magnitude;
}

/// y (1, i32) = 1 when some element of x is NaN or infinite, else 0.
struct NonFinite {
  Tensor x, y;

  explicit NonFinite(Prepare& step) : x(step.in(0)), y(step.out(0)) {
    step.scratch(sizeof(int32_t) * static_cast<size_t>(step.threads()));
  }
  void run(const Run& run) const {
    // Not "greater than the largest": that is false for NaN.
    const float magnitude = largest_magnitude(run, x, static_cast<int32_t*>(run.scratch));
    y.i32()[0] = !(magnitude <= 3.40282347e38f);
  }
};

/// The same where x is a sum of `terms` products of an element of a and one of b: x, which may be large, is only looked
/// at if these are large enough for infinity.
struct NonFiniteProduct {
  Tensor a, b;
  NonFinite whole;
  double terms;

  explicit NonFiniteProduct(Prepare& step) : a(step.in(1)), b(step.in(2)), whole(step), terms(step.number("terms")) {}

  void run(const Run& run) const {
    constexpr double kSafe = 1e38;  // a third of the largest float: rounding adds far less
    const auto magnitude = [&](const Tensor& t) {
      return static_cast<double>(largest_magnitude(run, t, static_cast<int32_t*>(run.scratch)));
    };
    // False for NaN.
    if (terms * magnitude(a) * magnitude(b) < kSafe) {
      whole.y.i32()[0] = 0;
    } else {
      whole.run(run);
    }
  }
};

}  // namespace cortado::CORTADO_ISA
