// Products and sums along channels, and PReLU.
#include "../kernels/channels.h"

#include "sums.h"
#include "table.h"

namespace cortado::cuda {

namespace {

__device__ inline int64_t channel_of(const Channels& s, int64_t i) { return i / s.inner % s.channels; }
/// Element `i` of those that share a channel.
__device__ inline int64_t place_of(const Channels& s, int64_t channel, int64_t i) {
  return (i / s.inner * s.channels + channel) * s.inner + i % s.inner;
}

/// x, factor (or none), bias (or none) -> y = x * factor + bias. Also the gradient by x.
struct ScaleAndBias {
  const float *x, *factor, *bias;
  float* y;
  Channels shape;

  void run(const Launch& launch) const { for_each(launch, shape.size(), *this); }
  __device__ void operator()(int64_t i) const {
    const int64_t c = channel_of(shape, i);
    const float v = factor ? x[i] * factor[c] : x[i];
    y[i] = bias ? v + bias[c] : v;
  }
};

struct Scale : ScaleAndBias {
  explicit Scale(Prepare& step)
      : ScaleAndBias{step.in(0).f32(), step.in(1).f32(), step.in(2).f32(), step.out(0).f32(), scaled_channels(step)} {}
};

struct Bias : ScaleAndBias {
  explicit Bias(Prepare& step)
      : ScaleAndBias{step.in(0).f32(), nullptr, step.in(1).f32(), step.out(0).f32(), biased_channels(step)} {}
};

/// dy, x (none if only the bias is wanted) -> dfactor = sum of dy x, dbias = sum of dy.
struct ScaleWgrad {
  const float *dy, *x;
  float *dfactor, *dbias;
  Channels shape;

  explicit ScaleWgrad(Prepare& step)
      : dy(step.in(0).f32()), x(step.in(1).f32()), dfactor(step.out(0).f32()), dbias(step.out(1).f32()) {
    shape = summed_channels(step);
    step.scratch(sums_bytes<2>(shape.channels, shape.each()));
  }
  void run(const Launch& launch) const { sum_rows<2>(launch, shape.channels, shape.each(), launch.scratch, *this); }
  __device__ void term(int64_t channel, int64_t i, double (&sums)[2]) const {
    const int64_t at = place_of(shape, channel, i);
    const auto d = static_cast<double>(dy[at]);
    sums[0] += d;
    if (dfactor) sums[1] += d * static_cast<double>(x[at]);
  }
  __device__ void done(int64_t channel, const double (&sums)[2]) const {
    if (dbias) dbias[channel] = static_cast<float>(sums[0]);
    if (dfactor) dfactor[channel] = static_cast<float>(sums[1]);
  }
};

/// x, slope -> y = x where x > 0, else slope * x.
struct Prelu {
  const float *x, *slope;
  float* y;
  Channels shape;

  explicit Prelu(Prepare& step)
      : x(step.in(0).f32()), slope(step.in(1).f32()), y(step.out(0).f32()), shape(slopes_of(step)) {}
  void run(const Launch& launch) const { for_each(launch, shape.size(), *this); }
  __device__ void operator()(int64_t i) const { y[i] = x[i] > 0.0f ? x[i] : x[i] * slope[channel_of(shape, i)]; }
};

/// dy, x, slope -> dx (at 0: slope * dy), dslope = sum of dy x where x <= 0.
struct PreluGrad {
  const float *dy, *x, *slope;
  float *dx, *dslope;
  Channels shape;

  explicit PreluGrad(Prepare& step) : dy(step.in(0).f32()), x(step.in(1).f32()), slope(step.in(2).f32()) {
    dx = step.out(0).f32();
    dslope = step.out(1).f32();
    shape = slopes_of_gradient(step);
    step.scratch(sums_bytes<1>(shape.channels, shape.each()));
  }
  void run(const Launch& launch) const {
    if (dx) for_each(launch, shape.size(), *this);
    if (dslope) sum_rows<1>(launch, shape.channels, shape.each(), launch.scratch, *this);
  }
  __device__ void operator()(int64_t i) const { dx[i] = x[i] > 0.0f ? dy[i] : dy[i] * slope[channel_of(shape, i)]; }
  __device__ void term(int64_t channel, int64_t i, double (&sums)[1]) const {
    const int64_t at = place_of(shape, channel, i);
    if (!(x[at] > 0.0f)) sums[0] += static_cast<double>(x[at]) * static_cast<double>(dy[at]);
  }
  __device__ void done(int64_t channel, const double (&sums)[1]) const {
    dslope[channel] = static_cast<float>(sums[0]);
  }
};

// ---- Normalisation to mean 0 and variance 1 (batch_norm_layer.cpp, mvn_layer.cpp): two passes over x, in double.

/// mean[channel] = the channel's mean.
struct Means {
  const float* x;
  float* mean;
  Channels shape;

  __device__ void term(int64_t channel, int64_t i, double (&sums)[1]) const {
    sums[0] += static_cast<double>(x[place_of(shape, channel, i)]);
  }
  __device__ void done(int64_t channel, const double (&sums)[1]) const {
    mean[channel] = static_cast<float>(sums[0] / static_cast<double>(shape.each()));
  }
};

/// y = (x - mean) * inverse, per channel; mean may be absent.
struct Normalize {
  const float *x, *mean, *inverse;
  float* y;
  Channels shape;

  __device__ void operator()(int64_t i) const {
    const int64_t c = channel_of(shape, i);
    y[i] = (mean ? x[i] - mean[c] : x[i]) * inverse[c];
  }
};

/// dx = (dy - mean(dy) - y mean(dy y)) * inverse per channel; without `spread` the variance was left as it is:
/// dx = (dy - mean(dy)) * inverse. Scratch: two numbers a channel behind the sums.
struct NormalizeGrad {
  const float *dy, *y, *inverse;
  float* dx;
  Channels shape;
  bool spread;
  float *level = nullptr, *slope = nullptr;

  NormalizeGrad(Prepare& step, const Channels& channels, bool spread)
      : dy(step.in(0).f32()), y(step.in(1).f32()), inverse(step.in(2).f32()), dx(step.out(0).f32()), shape(channels) {
    this->spread = spread;
    step.expect(holds(step.in(1), shape.size()) && holds(step.out(0), shape.size()), "tensors of one size");
    step.expect(holds(step.in(2), shape.channels), "a deviation for every channel");
    step.scratch(offset() + 2 * static_cast<size_t>(shape.channels) * sizeof(float));
  }
  void run(const Launch& launch) const {
    NormalizeGrad s = *this;
    s.level = reinterpret_cast<float*>(static_cast<uint8_t*>(launch.scratch) + offset());
    s.slope = s.level + shape.channels;
    sum_rows<2>(launch, shape.channels, shape.each(), launch.scratch, s);
    for_each(launch, shape.size(), s);
  }
  __device__ void term(int64_t channel, int64_t i, double (&sums)[2]) const {
    const int64_t at = place_of(shape, channel, i);
    const auto d = static_cast<double>(dy[at]);
    sums[0] += d;
    sums[1] += d * static_cast<double>(y[at]);
  }
  __device__ void done(int64_t c, const double (&sums)[2]) const {
    const auto n = static_cast<double>(shape.each());
    level[c] = static_cast<float>(sums[0] / n);
    slope[c] = spread ? static_cast<float>(sums[1] / n) : 0.0f;
  }
  __device__ void operator()(int64_t i) const {
    const int64_t c = channel_of(shape, i);
    dx[i] = (dy[i] - level[c] - y[i] * slope[c]) * inverse[c];
  }

 private:
  size_t offset() const { return sums_bytes<2>(shape.channels, shape.each()); }
};

/// What batch normalisation and mean-variance normalisation share. D has finish(channel, variance), which gives what
/// the channel is multiplied by. Scratch: means and factors behind the sums.
template <class D>
struct Moments {
  const float* x;
  float *y, *inverse;
  Channels shape;
  float *means = nullptr, *scales = nullptr;

  Moments(Prepare& step, const Channels& channels)
      : x(step.in(0).f32()), y(step.out(0).f32()), inverse(step.out(1).f32()), shape(channels) {
    step.expect(may_hold(step.out(0), shape.size()) && may_hold(step.out(1), shape.channels), "tensors of one size");
    step.scratch(offset() + 2 * static_cast<size_t>(shape.channels) * sizeof(float));
  }
  void run(const Launch& launch) const {
    D s = *static_cast<const D*>(this);
    s.means = reinterpret_cast<float*>(static_cast<uint8_t*>(launch.scratch) + offset());
    s.scales = s.means + shape.channels;
    sum_rows<1>(launch, shape.channels, shape.each(), launch.scratch, Means{x, s.means, shape});
    sum_rows<1>(launch, shape.channels, shape.each(), launch.scratch, s);
    if (y) for_each(launch, shape.size(), Normalize{x, s.means, s.scales, y, shape});
  }
  __device__ void term(int64_t channel, int64_t i, double (&sums)[1]) const {
    const auto d = static_cast<double>(x[place_of(shape, channel, i)] - means[channel]);
    sums[0] += d * d;
  }
  __device__ void done(int64_t channel, const double (&sums)[1]) const {
    const double variance = sums[0] / static_cast<double>(shape.each());
    scales[channel] = static_cast<const D*>(this)->finish(channel, variance);
    if (inverse) inverse[channel] = scales[channel];
  }

 private:
  size_t offset() const { return sums_bytes<1>(shape.channels, shape.each()); }
};

/// x, running mean, variance, factor -> y, 1 / deviation, and the running statistics brought up to date: each sum
/// becomes fraction * sum + this batch's, the variance's times m / (m - 1), and the factor fraction * factor + 1.
struct BatchNorm : Moments<BatchNorm> {
  float *mean, *variance, *factor;
  double eps;
  float fraction;

  explicit BatchNorm(Prepare& step)
      : Moments(step, channels_of(step, step.in(0))),
        mean(step.out(2).f32()),
        variance(step.out(3).f32()),
        factor(step.out(4).f32()),
        eps(step.number("eps")),
        fraction(static_cast<float>(step.number("movingAverageFraction"))) {
    const int64_t c = shape.channels;
    step.expect(may_hold(step.out(2), c) && may_hold(step.out(3), c) && may_hold(step.out(4), 1), "statistics");
  }
  __device__ float finish(int64_t c, double v) const {
    const auto m = static_cast<double>(shape.each());
    const double unbiased = m > 1 ? m / (m - 1) : 1;
    if (mean) mean[c] = fraction * mean[c] + means[c];
    if (variance) variance[c] = fraction * variance[c] + static_cast<float>(unbiased * v);
    if (factor && c == 0) *factor = fraction * *factor + 1;
    return static_cast<float>(1 / sqrt(v + eps));
  }
};

/// dy, y, 1 / deviation -> dx, the batch's statistics being functions of x.
struct BatchNormGrad : NormalizeGrad {
  explicit BatchNormGrad(Prepare& step) : NormalizeGrad(step, channels_of(step, step.in(0)), true) {}
};

/// x -> y, 1 / (deviation + eps), or 1 where the variance is left alone.
struct Mvn : Moments<Mvn> {
  bool spread;
  double eps;

  explicit Mvn(Prepare& step)
      : Moments(step, rows_of(step, step.in(0), step.integer("acrossChannels") != 0)),
        spread(step.integer("normalizeVariance") != 0),
        eps(step.number("eps")) {}
  __device__ float finish(int64_t, double v) const { return spread ? static_cast<float>(1 / (sqrt(v) + eps)) : 1.0f; }
};

/// dy, y, inverse -> dx. As in Caffe, eps is left out of the derivative of the deviation.
struct MvnGrad : NormalizeGrad {
  explicit MvnGrad(Prepare& step)
      : NormalizeGrad(step, rows_of(step, step.in(0), step.integer("acrossChannels") != 0),
                      step.integer("normalizeVariance") != 0) {}
};

/// Running sums as the statistics that they stand for: divided by the factor, which may be 0 before the first step.
/// Input 0 and output 0 are of x's size. Scratch: means and factors.
struct RunningStatistics {
  const float *x, *mean, *variance, *factor;
  float *y, *means = nullptr, *scales = nullptr;
  Channels shape;
  double eps;

  explicit RunningStatistics(Prepare& step)
      : x(step.in(0).f32()),
        mean(step.in(1).f32()),
        variance(step.in(2).f32()),
        factor(step.in(3).f32()),
        y(step.out(0).f32()),
        shape(channels_of(step, step.in(0))),
        eps(step.number("eps")) {
    const int64_t c = shape.channels;
    step.expect(holds(step.out(0), shape.size()), "tensors of one size");
    step.expect(holds(step.in(1), c) && holds(step.in(2), c) && holds(step.in(3), 1), "statistics");
    step.scratch(2 * static_cast<size_t>(c) * sizeof(float));
  }
  __device__ void operator()(int64_t c) const {
    const double share = *factor == 0 ? 0 : 1 / static_cast<double>(*factor);
    means[c] = static_cast<float>(share * static_cast<double>(mean[c]));
    scales[c] = static_cast<float>(1 / sqrt(share * static_cast<double>(variance[c]) + eps));
  }

 protected:
  void normalize(const Launch& launch, bool centred) const {
    RunningStatistics s = *this;
    s.means = static_cast<float*>(launch.scratch);
    s.scales = s.means + shape.channels;
    for_each(launch, shape.channels, s);
    for_each(launch, shape.size(), Normalize{x, centred ? s.means : nullptr, s.scales, y, shape});
  }
};

/// x, running mean, variance, factor -> y.
struct BatchNormGlobal : RunningStatistics {
  using RunningStatistics::RunningStatistics;
  void run(const Launch& launch) const { normalize(launch, true); }
};

/// dy, running mean, variance, factor -> dx, the statistics being constants.
struct BatchNormGlobalGrad : RunningStatistics {
  using RunningStatistics::RunningStatistics;
  void run(const Launch& launch) const { normalize(launch, false); }
};

}  // namespace

CORTADO_CHANNEL_KERNELS(CORTADO_DEFINE_KERNEL)

}  // namespace cortado::cuda
