#pragma once

#include <math.h>

#include "../core/kernel.h"
#include "formula.h"

namespace cortado::CORTADO_ISA {

/// What changes from iteration to iteration: the rate of the whole net, and two factors that are the solver's own.
struct Pace {
  float rate, first, second;
};

/// What happens to a gradient before any rule sees it, in Caffe's order (sgd_solver.cpp): scaled by the clip factor,
/// divided by the number of runs that were added up, then the penalty's slope, of the square (L2) or magnitude (L1).
struct Penalty {
  float share, l1, l2;

  CORTADO_INLINE explicit Penalty(Prepare& step)
      : share(static_cast<float>(step.number("share"))),
        l1(static_cast<float>(step.number("l1"))),
        l2(static_cast<float>(step.number("l2"))) {}

  CORTADO_FORMULA float operator()(float clip, float gradient, float w) const {
    const float sign = w > 0.0f ? 1.0f : w < 0.0f ? -1.0f : 0.0f;
    return gradient * clip * share + l2 * w + l1 * sign;
  }
};

// A rule has kSlots numbers of history per weight (1 or 2) and gives what is to be subtracted from the weight; `rate`
// is the parameter's factor on the rate of the net.

/// Numbers of the rules with a momentum.
struct MomentumNumbers {
  float rate, momentum;

  CORTADO_INLINE explicit MomentumNumbers(Prepare& step)
      : rate(static_cast<float>(step.number("rate"))), momentum(static_cast<float>(step.number("momentum"))) {}
};

/// sgd_solver.cpp. The rate sits inside the history.
struct SgdRule {
  static constexpr int kSlots = 1;
  MomentumNumbers its;

  CORTADO_INLINE explicit SgdRule(Prepare& step) : its(step) {}

  CORTADO_FORMULA float operator()(Pace pace, float g, float /*w*/, float* h) const {
    return h[0] = its.momentum * h[0] + pace.rate * its.rate * g;
  }
};

/// nesterov_solver.cpp.
struct NesterovRule {
  static constexpr int kSlots = 1;
  MomentumNumbers its;

  CORTADO_INLINE explicit NesterovRule(Prepare& step) : its(step) {}

  CORTADO_FORMULA float operator()(Pace pace, float g, float /*w*/, float* h) const {
    const float before = h[0];
    h[0] = its.momentum * before + pace.rate * its.rate * g;
    return (1.0f + its.momentum) * h[0] - its.momentum * before;
  }
};

/// adagrad_solver.cpp.
struct AdagradRule {
  static constexpr int kSlots = 1;
  float rate, epsilon;

  CORTADO_INLINE explicit AdagradRule(Prepare& step)
      : rate(static_cast<float>(step.number("rate"))), epsilon(static_cast<float>(step.number("epsilon"))) {}

  CORTADO_FORMULA float operator()(Pace pace, float g, float /*w*/, float* h) const {
    h[0] += g * g;
    return pace.rate * rate * (g / (sqrtf(h[0]) + epsilon));
  }
};

/// Numbers of the rules with moving means of squares.
struct SmoothingNumbers {
  float rate, smoothing, epsilon;

  CORTADO_INLINE explicit SmoothingNumbers(Prepare& step)
      : rate(static_cast<float>(step.number("rate"))),
        smoothing(static_cast<float>(step.number("smoothing"))),
        epsilon(static_cast<float>(step.number("epsilon"))) {}

  CORTADO_FORMULA float mean(float before, float x) const { return (1.0f - smoothing) * (x * x) + smoothing * before; }
};

/// rmsprop_solver.cpp.
struct RmspropRule {
  static constexpr int kSlots = 1;
  SmoothingNumbers its;

  CORTADO_INLINE explicit RmspropRule(Prepare& step) : its(step) {}

  CORTADO_FORMULA float operator()(Pace pace, float g, float /*w*/, float* h) const {
    h[0] = its.mean(h[0], g);
    return pace.rate * its.rate * (g / (sqrtf(h[0]) + its.epsilon));
  }
};

/// adadelta_solver.cpp: means of the squared gradients, then of the squared updates.
struct AdadeltaRule {
  static constexpr int kSlots = 2;
  SmoothingNumbers its;

  CORTADO_INLINE explicit AdadeltaRule(Prepare& step) : its(step) {}

  CORTADO_FORMULA float operator()(Pace pace, float g, float /*w*/, float* h) const {
    h[0] = its.mean(h[0], g);
    const float update = g * sqrtf((h[1] + its.epsilon) / (h[0] + its.epsilon));
    h[1] = its.mean(h[1], update);
    return pace.rate * its.rate * update;
  }
};

/// The two moments of Kingma & Ba 2015, "Adam", algorithm 1.
struct Moments {
  float beta1, beta2, epsilon;

  CORTADO_INLINE explicit Moments(Prepare& step)
      : beta1(static_cast<float>(step.number("beta1"))),
        beta2(static_cast<float>(step.number("beta2"))),
        epsilon(static_cast<float>(step.number("epsilon"))) {}

  CORTADO_FORMULA void follow(float g, float* h) const {
    h[0] = (1.0f - beta1) * g + beta1 * h[0];
    h[1] = (1.0f - beta2) * (g * g) + beta2 * h[1];
  }
};

/// adam_solver.cpp: epsilon joins the root before the correction of the bias, which is `first`.
struct AdamRule {
  static constexpr int kSlots = 2;
  float rate;
  Moments moments;

  CORTADO_INLINE explicit AdamRule(Prepare& step) : rate(static_cast<float>(step.number("rate"))), moments(step) {}

  CORTADO_FORMULA float operator()(Pace pace, float g, float /*w*/, float* h) const {
    moments.follow(g, h);
    return pace.rate * rate * pace.first * (h[0] / (sqrtf(h[1]) + moments.epsilon));
  }
};

/// Loshchilov & Hutter 2019, "Decoupled weight decay regularization", algorithm 2, with the rate on the decay too.
/// `first` and `second` correct the bias of the mean and of the root.
struct AdamwRule {
  static constexpr int kSlots = 2;
  float rate, decay;
  Moments moments;

  CORTADO_INLINE explicit AdamwRule(Prepare& step)
      : rate(static_cast<float>(step.number("rate"))), decay(static_cast<float>(step.number("decay"))), moments(step) {}

  CORTADO_FORMULA float operator()(Pace pace, float g, float w, float* h) const {
    moments.follow(g, h);
    const float step = pace.first * h[0] / (pace.second * sqrtf(h[1]) + moments.epsilon);
    return pace.rate * rate * (step + decay * w);
  }
};

}  // namespace cortado::CORTADO_ISA
