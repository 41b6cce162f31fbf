#pragma once

#include "../kernels/solvers.h"
#include "chunks.h"
#include "elementwise.h"
#include "reduction.h"

namespace cortado::CORTADO_ISA {

/// Inputs gradient, pace (3), clip factor (1, may be absent), parameter, slots; outputs parameter and slots, which are
/// the same tensors in a training step. One pass over all of them.
template <class Rule>
struct Update {
  static constexpr int kFirst = 3;  // input of the parameter; the slots follow
  static constexpr int kTensors = 1 + Rule::kSlots;
  Rule rule;
  Penalty penalty;
  const float *gradient, *pace, *clip, *before[kTensors];
  float* after[kTensors];
  int64_t n;

  explicit Update(Prepare& step)
      : rule(step),
        penalty(step),
        gradient(step.in(0).f32()),
        pace(step.in(1).f32()),
        clip(step.in(2).f32()),
        n(step.out(0).size()) {
    step.expect(holds(step.in(0), n) && holds(step.in(1), 3) && may_hold(step.in(2), 1), "a gradient and a pace");
    for (int i = 0; i < kTensors; ++i) {
      step.expect(holds(step.out(i), n) && holds(step.in(kFirst + i), n), "a parameter and its history of one size");
      before[i] = step.in(kFirst + i).f32();
      after[i] = step.out(i).f32();
    }
  }

  void run(const Run& run) const {
    const Update s = *this;
    const Pace now{pace[0], pace[1], pace[2]};
    const float factor = clip ? *clip : 1.0f;
    for_slices(run.threads, n, kElementGrain,
               [s, now, factor](int64_t begin, int64_t end) { s.slice(now, factor, begin, end); });
  }

 private:
  CORTADO_INLINE void slice(Pace now, float factor, int64_t begin, int64_t end) const {
    constexpr int kLast = Rule::kSlots;
    const Rule apply = rule;
    const Penalty penalized = penalty;
    const float *const g = gradient, *const w = before[0], *const a = before[1], *const b = before[kLast];
    float *const new_w = after[0], *const new_a = after[1], *const new_b = after[kLast];
    CORTADO_INDEPENDENT
    for (int64_t i = begin; i < end; ++i) {
      float history[2] = {a[i], b[i]};
      new_w[i] = w[i] - apply(now, penalized(factor, g[i], w[i]), w[i], history);
      new_a[i] = history[0];
      if constexpr (Rule::kSlots == 2) new_b[i] = history[1];
    }
  }
};

/// y (2) = the sum of squares of x, added to the one in input 1 if there is one. The two floats of a sum add up to a
/// double's better half, so that it loses nothing on its way through all parameters.
struct SquaredNorm {
  const float *x, *before;
  float* y;
  int64_t n;

  explicit SquaredNorm(Prepare& step)
      : x(step.in(0).f32()), before(step.in(1).f32()), y(step.out(0).f32()), n(step.in(0).size()) {
    step.expect(holds(step.in(0), n) && may_hold(step.in(1), 2) && holds(step.out(0), 2), "a tensor and a sum");
    step.scratch(chunk_bytes<1>());
  }

  void run(const Run& run) const {
    const float* const from = x;
    double total[1];
    chunked_sums(run, n, 1, total, [from](int64_t begin, int64_t end, double* sums) {
      sums[0] = reduce_row(from + begin, end - begin, Reduce::sumsq);
    });
    const double sum = total[0] + (before ? static_cast<double>(before[0]) + static_cast<double>(before[1]) : 0.0);
    y[0] = static_cast<float>(sum);
    y[1] = static_cast<float>(sum - static_cast<double>(y[0]));
  }
};

/// y (1) = most / norm where the norm, whose square is x (2), is more than `most`; else 1.
struct ClipFactor {
  const float* x;
  float* y;
  double most;

  explicit ClipFactor(Prepare& step) : x(step.in(0).f32()), y(step.out(0).f32()), most(step.number("most")) {
    step.expect(holds(step.in(0), 2) && holds(step.out(0), 1), "a sum of squares and a factor");
  }

  void run(const Run&) const {
    const double norm = ::sqrt(static_cast<double>(x[0]) + static_cast<double>(x[1]));
    y[0] = norm > most ? static_cast<float>(most / norm) : 1.0f;
  }
};

}  // namespace cortado::CORTADO_ISA
