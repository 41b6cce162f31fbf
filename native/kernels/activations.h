// Activations and other functions of one element, with their gradients (dx from dy and whichever of x and y says it
// best). Semantics: Caffe's layers of the same names.
#pragma once

#include "../core/kernel.h"
#include "functions.h"

namespace cortado::CORTADO_ISA {

CORTADO_INLINE float attribute(Prepare& step, const char* name) { return static_cast<float>(step.number(name)); }

/// max(x, 0) + slope * min(x, 0).
struct Relu {
  static constexpr int kInputs = 1;
  float slope;
  CORTADO_INLINE explicit Relu(Prepare& step) : slope(attribute(step, "slope")) {}
  CORTADO_FORMULA float operator()(float x) const {
    const float above = x < 0.0f ? 0.0f : x;
    return slope == 0.0f ? above : above + slope * (x < 0.0f ? x : 0.0f);
  }
};
/// From dy and anything that has the sign of x; at exactly 0 the slope counts.
struct ReluGrad {
  static constexpr int kInputs = 2;
  float slope;
  CORTADO_INLINE explicit ReluGrad(Prepare& step) : slope(attribute(step, "slope")) {}
  CORTADO_FORMULA float operator()(float dy, float sign) const { return dy * (sign > 0.0f ? 1.0f : slope); }
};

struct Sigmoid {
  static constexpr int kInputs = 1;
  CORTADO_INLINE explicit Sigmoid(Prepare&) {}
  CORTADO_FORMULA float operator()(float x) const { return logistic(x); }
};
struct SigmoidGrad {
  static constexpr int kInputs = 2;
  CORTADO_INLINE explicit SigmoidGrad(Prepare&) {}
  CORTADO_FORMULA float operator()(float dy, float y) const { return dy * y * (1.0f - y); }
};

struct Tanh {
  static constexpr int kInputs = 1;
  CORTADO_INLINE explicit Tanh(Prepare&) {}
  CORTADO_FORMULA float operator()(float x) const { return hyperbolic_tangent(x); }
};
struct TanhGrad {
  static constexpr int kInputs = 2;
  CORTADO_INLINE explicit TanhGrad(Prepare&) {}
  CORTADO_FORMULA float operator()(float dy, float y) const { return dy * (1.0f - y * y); }
};

/// x where x > 0, else alpha * (e^x - 1).
struct Elu {
  static constexpr int kInputs = 1;
  float alpha;
  CORTADO_INLINE explicit Elu(Prepare& step) : alpha(attribute(step, "alpha")) {}
  CORTADO_FORMULA float operator()(float x) const {
    const float below = alpha * (exponential(x > 0.0f ? 0.0f : x) - 1.0f);
    return x > 0.0f ? x : below;
  }
};
struct EluGrad {
  static constexpr int kInputs = 3;
  float alpha;
  CORTADO_INLINE explicit EluGrad(Prepare& step) : alpha(attribute(step, "alpha")) {}
  CORTADO_FORMULA float operator()(float dy, float x, float y) const { return dy * (x > 0.0f ? 1.0f : y + alpha); }
};

struct Abs {
  static constexpr int kInputs = 1;
  CORTADO_INLINE explicit Abs(Prepare&) {}
  CORTADO_FORMULA float operator()(float x) const { return __builtin_fabsf(x); }
};
/// The gradient at exactly 0 is 0.
struct AbsGrad {
  static constexpr int kInputs = 2;
  CORTADO_INLINE explicit AbsGrad(Prepare&) {}
  CORTADO_FORMULA float operator()(float dy, float x) const { return x > 0.0f ? dy : x < 0.0f ? -dy : dy * x; }
};

/// outer * e^(inner * x).
struct Exp {
  static constexpr int kInputs = 1;
  float inner, outer;
  CORTADO_INLINE explicit Exp(Prepare& step) : inner(attribute(step, "inner")), outer(attribute(step, "outer")) {}
  CORTADO_FORMULA float operator()(float x) const { return outer * exponential(inner * x); }
};
struct ExpGrad {
  static constexpr int kInputs = 2;
  float inner;
  CORTADO_INLINE explicit ExpGrad(Prepare& step) : inner(attribute(step, "inner")) {}
  CORTADO_FORMULA float operator()(float dy, float y) const { return dy * inner * y; }
};

/// outer * log(scale * x + shift).
struct Log {
  static constexpr int kInputs = 1;
  float scale, shift, outer;
  CORTADO_INLINE explicit Log(Prepare& step)
      : scale(attribute(step, "scale")), shift(attribute(step, "shift")), outer(attribute(step, "outer")) {}
  CORTADO_FORMULA float operator()(float x) const { return outer * logarithm(scale * x + shift); }
};
struct LogGrad {
  static constexpr int kInputs = 2;
  float scale, shift, outer;
  CORTADO_INLINE explicit LogGrad(Prepare& step)
      : scale(attribute(step, "scale")), shift(attribute(step, "shift")), outer(attribute(step, "outer")) {}
  CORTADO_FORMULA float operator()(float dy, float x) const { return dy * (outer * scale) / (scale * x + shift); }
};

/// log(1 + e^x) without overflow.
struct Bnll {
  static constexpr int kInputs = 1;
  CORTADO_INLINE explicit Bnll(Prepare&) {}
  CORTADO_FORMULA float operator()(float x) const { return softplus(x); }
};
struct BnllGrad {
  static constexpr int kInputs = 2;
  CORTADO_INLINE explicit BnllGrad(Prepare&) {}
  CORTADO_FORMULA float operator()(float dy, float x) const { return dy * logistic(x); }
};

/// x * logistic(beta * x).
struct Swish {
  static constexpr int kInputs = 1;
  float beta;
  CORTADO_INLINE explicit Swish(Prepare& step) : beta(attribute(step, "beta")) {}
  CORTADO_FORMULA float operator()(float x) const { return x * logistic(beta * x); }
};
/// The slope is beta * y + s * (1 - beta * y) with s = logistic(beta * x).
struct SwishGrad {
  static constexpr int kInputs = 3;
  float beta;
  CORTADO_INLINE explicit SwishGrad(Prepare& step) : beta(attribute(step, "beta")) {}
  CORTADO_FORMULA float operator()(float dy, float x, float y) const {
    return dy * (beta * y + logistic(beta * x) * (1.0f - beta * y));
  }
};

struct Clip {
  static constexpr int kInputs = 1;
  float least, most;
  CORTADO_INLINE explicit Clip(Prepare& step) : least(attribute(step, "min")), most(attribute(step, "max")) {}
  CORTADO_FORMULA float operator()(float x) const {
    const float above = x < least ? least : x;
    return above > most ? most : above;
  }
};
/// The bounds themselves let the gradient through.
struct ClipGrad {
  static constexpr int kInputs = 2;
  float least, most;
  CORTADO_INLINE explicit ClipGrad(Prepare& step) : least(attribute(step, "min")), most(attribute(step, "max")) {}
  CORTADO_FORMULA float operator()(float dy, float x) const { return x >= least && x <= most ? dy : 0.0f; }
};

/// 1 above the threshold, else 0.
struct Threshold {
  static constexpr int kInputs = 1;
  float threshold;
  CORTADO_INLINE explicit Threshold(Prepare& step) : threshold(attribute(step, "threshold")) {}
  CORTADO_FORMULA float operator()(float x) const { return x > threshold ? 1.0f : 0.0f; }
};

}  // namespace cortado::CORTADO_ISA
