// Normalisation to mean 0 and variance 1: per channel over the batch (batch_norm_layer.cpp) and per image or plane
// (mvn_layer.cpp). Means and variances are sums in double, in two passes.
#pragma once

#include "channels.h"

namespace cortado::CORTADO_ISA {

/// mean(channel) = the channel's mean, and done(channel, variance), the mean square of what is left.
template <class Done>
CORTADO_INLINE void moments(Threads& team, const Channels& s, const float* x, float* mean, const Done& done) {
  const auto n = static_cast<double>(s.each());
  channel_sums<1>(
      team, s, [&](const auto& p, Vf(&sums)[1]) { sums[0] += load_lanes(x + p.at, p.lanes); },
      [&](int64_t c, const double (&sums)[1]) { mean[c] = static_cast<float>(sums[0] / n); });
  channel_sums<1>(
      team, s,
      [&](const auto& p, Vf(&sums)[1]) {
        // Lanes beyond the end must not count: there x is 0, but x - mean is not.
        const Vf d = select(first_lanes(p.lanes), load_lanes(x + p.at, p.lanes) - p.of(mean), zero());
        sums[0] = fma(d, d, sums[0]);
      },
      [&](int64_t c, const double (&sums)[1]) { done(c, sums[0] / n); });
}

/// y = (x - mean) * inverse, per channel.
CORTADO_INLINE void normalize(Threads& team, const Channels& s, const float* x, const float* mean, const float* inverse,
                              float* y) {
  for_channel_vectors(team, s, [&](const auto& p) {
    store_lanes(y + p.at, (load_lanes(x + p.at, p.lanes) - p.of(mean)) * p.of(inverse), p.lanes);
  });
}

/// dx = (dy - mean(dy) - y mean(dy y)) * inverse per channel; without `spread` the variance was left as it is:
/// dx = (dy - mean(dy)) * inverse. `means` is scratch, two numbers a channel.
CORTADO_INLINE void normalize_grad(Threads& team, const Channels& s, const float* dy, const float* y,
                                   const float* inverse, bool spread, float* means, float* dx) {
  const auto n = static_cast<double>(s.each());
  float *level = means, *slope = means + s.channels;
  channel_sums<2>(
      team, s,
      [&](const auto& p, Vf(&sums)[2]) {
        const Vf d = load_lanes(dy + p.at, p.lanes);
        sums[0] += d;
        sums[1] = fma(d, load_lanes(y + p.at, p.lanes), sums[1]);
      },
      [&](int64_t c, const double (&sums)[2]) {
        level[c] = static_cast<float>(sums[0] / n);
        slope[c] = spread ? static_cast<float>(sums[1] / n) : 0.0f;
      });
  for_channel_vectors(team, s, [&](const auto& p) {
    const Vf d = load_lanes(dy + p.at, p.lanes) - p.of(level);
    store_lanes(dx + p.at, fma(-load_lanes(y + p.at, p.lanes), p.of(slope), d) * p.of(inverse), p.lanes);
  });
}

/// x, running mean, variance, factor -> y, 1 / deviation, and the running statistics brought up to date: each sum
/// becomes fraction * sum + this batch's, the variance's times m / (m - 1), and the factor fraction * factor + 1.
struct BatchNorm {
  const float* x;
  float *y, *inverse, *mean, *variance, *factor;
  Channels shape;
  double eps;
  float fraction;

  explicit BatchNorm(Prepare& step)
      : x(step.in(0).f32()),
        y(step.out(0).f32()),
        inverse(step.out(1).f32()),
        mean(step.out(2).f32()),
        variance(step.out(3).f32()),
        factor(step.out(4).f32()),
        shape(channels_of(step, step.in(0))),
        eps(step.number("eps")),
        fraction(static_cast<float>(step.number("movingAverageFraction"))) {
    const int64_t c = shape.channels;
    step.expect(may_hold(step.out(0), shape.size()) && may_hold(step.out(1), c), "tensors of one size");
    step.expect(may_hold(step.out(2), c) && may_hold(step.out(3), c) && may_hold(step.out(4), 1), "statistics");
    step.scratch(2 * static_cast<size_t>(shape.channels) * sizeof(float));
  }

  void run(const Run& run) const {
    auto* means = static_cast<float*>(run.scratch);
    float* scales = means + shape.channels;
    const auto m = static_cast<double>(shape.each());
    const double unbiased = m > 1 ? m / (m - 1) : 1;
    moments(run.threads, shape, x, means, [&](int64_t c, double v) {
      scales[c] = static_cast<float>(1 / ::sqrt(v + eps));
      if (inverse) inverse[c] = scales[c];
      if (mean) mean[c] = fraction * mean[c] + means[c];
      if (variance) variance[c] = fraction * variance[c] + static_cast<float>(unbiased * v);
    });
    if (factor) *factor = fraction * *factor + 1;
    if (y) normalize(run.threads, shape, x, means, scales, y);
  }
};

/// dy, y, 1 / deviation -> dx, the batch's statistics being functions of x.
struct BatchNormGrad {
  const float *dy, *y, *inverse;
  float* dx;
  Channels shape;

  explicit BatchNormGrad(Prepare& step)
      : dy(step.in(0).f32()),
        y(step.in(1).f32()),
        inverse(step.in(2).f32()),
        dx(step.out(0).f32()),
        shape(channels_of(step, step.in(0))) {
    step.expect(holds(step.in(1), shape.size()) && holds(step.out(0), shape.size()), "tensors of one size");
    step.expect(holds(step.in(2), shape.channels), "a deviation for every channel");
    step.scratch(2 * static_cast<size_t>(shape.channels) * sizeof(float));
  }

  void run(const Run& run) const {
    normalize_grad(run.threads, shape, dy, y, inverse, true, static_cast<float*>(run.scratch), dx);
  }
};

/// Running sums as the statistics that they stand for: divided by the factor, which may be 0 before the first step.
struct RunningStatistics {
  const float *mean, *variance, *factor;
  double eps;

  explicit RunningStatistics(Prepare& step)
      : mean(step.in(1).f32()), variance(step.in(2).f32()), factor(step.in(3).f32()), eps(step.number("eps")) {}

  static void check(Prepare& step, const Channels& s) {
    step.expect(holds(step.out(0), s.size()), "tensors of one size");
    step.expect(holds(step.in(1), s.channels) && holds(step.in(2), s.channels) && holds(step.in(3), 1), "statistics");
  }

  double share() const { return *factor == 0 ? 0 : 1 / static_cast<double>(*factor); }
  float inverse(int64_t c) const {
    return static_cast<float>(1 / ::sqrt(share() * static_cast<double>(variance[c]) + eps));
  }
};

/// x, running mean, variance, factor -> y.
struct BatchNormGlobal {
  const float* x;
  float* y;
  RunningStatistics statistics;
  Channels shape;

  explicit BatchNormGlobal(Prepare& step)
      : x(step.in(0).f32()), y(step.out(0).f32()), statistics(step), shape(channels_of(step, step.in(0))) {
    statistics.check(step, shape);
    step.scratch(2 * static_cast<size_t>(shape.channels) * sizeof(float));
  }

  void run(const Run& run) const {
    auto* means = static_cast<float*>(run.scratch);
    float* scales = means + shape.channels;
    for (int64_t c = 0; c < shape.channels; ++c) {
      means[c] = static_cast<float>(statistics.share() * static_cast<double>(statistics.mean[c]));
      scales[c] = statistics.inverse(c);
    }
    normalize(run.threads, shape, x, means, scales, y);
  }
};

/// dy, running mean, variance, factor -> dx, the statistics being constants.
struct BatchNormGlobalGrad {
  const float* dy;
  float* dx;
  RunningStatistics statistics;
  Channels shape;

  explicit BatchNormGlobalGrad(Prepare& step)
      : dy(step.in(0).f32()), dx(step.out(0).f32()), statistics(step), shape(channels_of(step, step.in(0))) {
    statistics.check(step, shape);
    step.scratch(static_cast<size_t>(shape.channels) * sizeof(float));
  }

  void run(const Run& run) const {
    auto* scales = static_cast<float*>(run.scratch);
    for (int64_t c = 0; c < shape.channels; ++c) scales[c] = statistics.inverse(c);
    for_channel_vectors(run.threads, shape, [&](const auto& p) {
      store_lanes(dx + p.at, load_lanes(dy + p.at, p.lanes) * p.of(scales), p.lanes);
    });
  }
};

/// x -> y, 1 / (deviation + eps), or 1 where the variance is left alone.
struct Mvn {
  const float* x;
  float *y, *inverse;
  Channels shape;
  bool spread;
  double eps;

  explicit Mvn(Prepare& step)
      : x(step.in(0).f32()),
        y(step.out(0).f32()),
        inverse(step.out(1).f32()),
        shape(rows_of(step, step.in(0), step.integer("acrossChannels") != 0)),
        spread(step.integer("normalizeVariance") != 0),
        eps(step.number("eps")) {
    step.expect(may_hold(step.out(0), shape.size()) && may_hold(step.out(1), shape.channels), "tensors of one size");
    step.scratch(2 * static_cast<size_t>(shape.channels) * sizeof(float));
  }

  void run(const Run& run) const {
    auto* means = static_cast<float*>(run.scratch);
    float* scales = means + shape.channels;
    moments(run.threads, shape, x, means, [&](int64_t c, double v) {
      scales[c] = spread ? static_cast<float>(1 / (::sqrt(v) + eps)) : 1.0f;
      if (inverse) inverse[c] = scales[c];
    });
    if (y) normalize(run.threads, shape, x, means, scales, y);
  }
};

/// dy, y, inverse -> dx. As in Caffe, eps is left out of the derivative of the deviation.
struct MvnGrad {
  const float *dy, *y, *inverse;
  float* dx;
  Channels shape;
  bool spread;

  explicit MvnGrad(Prepare& step)
      : dy(step.in(0).f32()),
        y(step.in(1).f32()),
        inverse(step.in(2).f32()),
        dx(step.out(0).f32()),
        shape(rows_of(step, step.in(0), step.integer("acrossChannels") != 0)),
        spread(step.integer("normalizeVariance") != 0) {
    step.expect(holds(step.in(1), shape.size()) && holds(step.out(0), shape.size()), "tensors of one size");
    step.expect(holds(step.in(2), shape.channels), "a deviation for every row");
    step.scratch(2 * static_cast<size_t>(shape.channels) * sizeof(float));
  }

  void run(const Run& run) const {
    normalize_grad(run.threads, shape, dy, y, inverse, spread, static_cast<float*>(run.scratch), dx);
  }
};

}  // namespace cortado::CORTADO_ISA
