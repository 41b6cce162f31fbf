// Products and sums with a tensor that lies along some axes of x (scale_layer.cpp, bias_layer.cpp), and PReLU, whose
// slope lies along the channels.
#pragma once

#include "channels.h"

namespace cortado::CORTADO_ISA {

/// x, factor, bias (or none) -> y = x * factor + bias. Also the gradient by x.
struct Scale {
  const float *x, *factor, *bias;
  float* y;
  Channels shape;

  explicit Scale(Prepare& step)
      : x(step.in(0).f32()),
        factor(step.in(1).f32()),
        bias(step.in(2).f32()),
        y(step.out(0).f32()),
        shape(scaled_channels(step)) {}

  void run(const Run& run) const {
    for_channel_vectors(run.threads, shape, [&](const auto& p) {
      const Vf v = load_lanes(x + p.at, p.lanes) * p.of(factor);
      store_lanes(y + p.at, bias ? v + p.of(bias) : v, p.lanes);
    });
  }
};

/// x, bias -> y = x + bias.
struct Bias {
  const float *x, *bias;
  float* y;
  Channels shape;

  explicit Bias(Prepare& step)
      : x(step.in(0).f32()), bias(step.in(1).f32()), y(step.out(0).f32()), shape(biased_channels(step)) {}

  void run(const Run& run) const {
    for_channel_vectors(run.threads, shape, [&](const auto& p) {
      store_lanes(y + p.at, load_lanes(x + p.at, p.lanes) + p.of(bias), p.lanes);
    });
  }
};

/// dy, x (none if only the bias is wanted) -> dfactor = sum of dy x, dbias = sum of dy.
struct ScaleWgrad {
  const float *dy, *x;
  float *dfactor, *dbias;
  Channels shape;

  explicit ScaleWgrad(Prepare& step)
      : dy(step.in(0).f32()),
        x(step.in(1).f32()),
        dfactor(step.out(0).f32()),
        dbias(step.out(1).f32()),
        shape(summed_channels(step)) {}

  void run(const Run& run) const {
    channel_sums<2>(
        run.threads, shape,
        [&](const auto& p, Vf(&sums)[2]) {
          const Vf d = load_lanes(dy + p.at, p.lanes);
          sums[0] += d;
          if (dfactor) sums[1] = fma(d, load_lanes(x + p.at, p.lanes), sums[1]);
        },
        [&](int64_t c, const double (&sums)[2]) {
          if (dbias) dbias[c] = static_cast<float>(sums[0]);
          if (dfactor) dfactor[c] = static_cast<float>(sums[1]);
        });
  }
};

/// x, slope -> y = x where x > 0, else slope * x.
struct Prelu {
  const float *x, *slope;
  float* y;
  Channels shape;

  explicit Prelu(Prepare& step)
      : x(step.in(0).f32()), slope(step.in(1).f32()), y(step.out(0).f32()), shape(slopes_of(step)) {}

  void run(const Run& run) const {
    for_channel_vectors(run.threads, shape, [&](const auto& p) {
      const Vf v = load_lanes(x + p.at, p.lanes);
      store_lanes(y + p.at, select(v > zero(), v, v * p.of(slope)), p.lanes);
    });
  }
};

/// dy, x, slope -> dx (at 0: slope * dy), dslope = sum of dy x where x <= 0.
struct PreluGrad {
  const float *dy, *x, *slope;
  float *dx, *dslope;
  Channels shape;

  explicit PreluGrad(Prepare& step)
      : dy(step.in(0).f32()),
        x(step.in(1).f32()),
        slope(step.in(2).f32()),
        dx(step.out(0).f32()),
        dslope(step.out(1).f32()),
        shape(slopes_of_gradient(step)) {}

  void run(const Run& run) const {
    if (dx) {
      for_channel_vectors(run.threads, shape, [&](const auto& p) {
        const Vf d = load_lanes(dy + p.at, p.lanes);
        store_lanes(dx + p.at, select(load_lanes(x + p.at, p.lanes) > zero(), d, d * p.of(slope)), p.lanes);
      });
    }
    if (!dslope) return;
    channel_sums<1>(
        run.threads, shape,
        [&](const auto& p, Vf(&sums)[1]) {
          const Vf v = load_lanes(x + p.at, p.lanes);
          sums[0] += select(v > zero(), zero(), v * load_lanes(dy + p.at, p.lanes));
        },
        [&](int64_t c, const double (&sums)[1]) { dslope[c] = static_cast<float>(sums[0]); });
  }
};

}  // namespace cortado::CORTADO_ISA
