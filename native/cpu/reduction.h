#pragma once

#include "../kernels/reduce.h"
#include "eltwise.h"

namespace cortado::CORTADO_ISA {

/// Sum of what `reduce` makes of n elements: vectors of partial sums over short blocks, added up in double.
CORTADO_INLINE double reduce_row(const float* x, int64_t n, Reduce reduce) {
  constexpr int64_t kBlock = 64 * kLanes;
  double total = 0;
  for (int64_t start = 0; start < n; start += kBlock) {
    const int64_t stop = start + kBlock < n ? start + kBlock : n;
    Vf a = zero(), b = zero();
    for (int64_t i = start; i < stop; i += 2 * kLanes) {
      Vf u, v;
      if (i + 2 * kLanes <= stop) {
        u = load(x + i);
        v = load(x + i + kLanes);
      } else {
        const int64_t left = stop - i;
        u = load_part(x + i, left < kLanes ? left : kLanes);
        v = left > kLanes ? load_part(x + i + kLanes, left - kLanes) : zero();
      }
      if (reduce == Reduce::sumsq) {
        a = fma(u, u, a);
        b = fma(v, v, b);
      } else {
        a += reduce == Reduce::asum ? abs(u) : u;
        b += reduce == Reduce::asum ? abs(v) : v;
      }
    }
    total += static_cast<double>(sum(a + b));
  }
  return total;
}

/// y[row] = coefficient * the sum, sum of magnitudes or sum of squares of row `row` of x: as many rows as y has
/// elements.
struct Reduction {
  const float* x;
  float* y;
  int64_t rows, width;
  Reduce reduce;
  double coefficient;

  explicit Reduction(Prepare& step)
      : x(step.in(0).f32()),
        y(step.out(0).f32()),
        rows(step.out(0).size()),
        width(row_width(step, step.in(0), step.out(0))),
        reduce(reduce_of(step)),
        coefficient(step.number("coefficient")) {
    step.scratch(static_cast<size_t>(step.threads()) * kPadding * sizeof(double));
  }

  void run(const Run& run) const {
    const Reduction s = *this;
    if (rows >= run.threads.count()) {
      for_slices(run.threads, rows, kElementGrain / (width + 1) + 1, [s](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) s.finish(row, reduce_row(s.x + row * s.width, s.width, s.reduce));
      });
      return;
    }
    auto* const partial = static_cast<double*>(run.scratch);
    for (int64_t row = 0; row < rows; ++row) {
      on_every_thread(run.threads, [s, row, partial](int thread, int threads) {
        const int64_t begin = s.width * thread / threads, end = s.width * (thread + 1) / threads;
        partial[thread * kPadding] = reduce_row(s.x + row * s.width + begin, end - begin, s.reduce);
      });
      double total = 0;
      for (int thread = 0; thread < run.threads.count(); ++thread) total += partial[thread * kPadding];
      finish(row, total);
    }
  }

 private:
  static constexpr int kPadding = 8;  // one cache line a thread

  CORTADO_INLINE void finish(int64_t row, double total) const { y[row] = static_cast<float>(coefficient * total); }
};

/// Inputs dy and, unless a plain sum, x. dx = coefficient * dy times 1, the sign of x (0 at 0) or 2 x.
struct ReductionGrad {
  const float *dy, *x;
  float* dx;
  int64_t n, width;
  Reduce reduce;
  float coefficient;

  explicit ReductionGrad(Prepare& step)
      : dy(step.in(0).f32()),
        x(step.in(1).f32()),
        dx(step.out(0).f32()),
        n(step.out(0).size()),
        width(row_width(step, step.out(0), step.in(0))),
        reduce(reduce_of(step)),
        coefficient(static_cast<float>(step.number("coefficient"))) {
    step.expect(reduce == Reduce::sum || holds(step.in(1), n), "x for a slope that depends on it");
  }

  void run(const Run& run) const {
    const ReductionGrad s = *this;
    for_slices(run.threads, n, kElementGrain, [s](int64_t begin, int64_t end) {
      for (int64_t at = begin; at < end;) {
        const int64_t row = at / s.width, stop = (row + 1) * s.width < end ? (row + 1) * s.width : end;
        s.fill(at, stop, s.coefficient * s.dy[row]);
        at = stop;
      }
    });
  }

 private:
  CORTADO_INLINE void fill(int64_t begin, int64_t end, float d) const {
    if (reduce == Reduce::sum) {
      for (int64_t i = begin; i < end; ++i) dx[i] = d;
    } else if (reduce == Reduce::asum) {
      CORTADO_INDEPENDENT
      for (int64_t i = begin; i < end; ++i) dx[i] = x[i] > 0.0f ? d : x[i] < 0.0f ? -d : 0.0f;
    } else {
      CORTADO_INDEPENDENT
      for (int64_t i = begin; i < end; ++i) dx[i] = 2.0f * d * x[i];
    }
  }
};

}  // namespace cortado::CORTADO_ISA
