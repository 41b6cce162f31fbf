// A convolution in float32 on tensor cores: each number as the sum of two TF32 numbers, x = a + b, so that x y is
// a c + b c + a d but for b d, which is 2^-22 of it (Markidis et al. 2018, section V; Ootomo and Yokota 2022, section
// 2.3). The three products are one convolution of three times the depth. Infinity becomes NaN.
#pragma once

#include "../kernels/products.h"
#include "convert.h"
#include "device.h"
#include "grouped_weights.h"
#include "vendor/vendor.h"

namespace cortado::cuda {

/// The nearest number of eleven binary digits, or the one before it where that would be infinite.
__device__ inline float to_tf32(float x) {
  constexpr uint32_t kDropped = 0x1fff, kInfinity = 0x7f800000;
  const uint32_t bits = bits_of(x), rounded = (bits + (kDropped >> 1) + (bits >> 13 & 1)) & ~kDropped;
  if ((bits & kInfinity) == kInfinity) return x;
  return float_of((rounded & kInfinity) == kInfinity ? bits & ~kDropped : rounded);
}

/// Where the parts of a factor lie: an element's row, of so many numbers, and how far each part is from the one before.
struct Parts {
  float* to;
  int64_t row, stride;
  bool left;  // a, b, a; otherwise c, c, d

  __device__ void put(int64_t at, float x) const {
    const float high = to_tf32(x), rest = x - high, low = rest == rest ? to_tf32(rest) : 0.0f;
    to[at] = high;
    to[at + stride] = left ? low : high;
    to[at + 2 * stride] = left ? high : low;
  }
};

/// Images with channels first in parts with channels last.
struct SplitImages {
  Planes p;
  const float* from;
  Parts parts;

  __device__ void operator()(int64_t block) const {
    __shared__ float tile[Planes::kTile][Planes::kTile + 1];
    const PlaneTile at(p, block);
    const int x = threadIdx.x % Planes::kTile, y = threadIdx.x / Planes::kTile;
    for (int row = y; row < Planes::kTile; row += Planes::kRows) {
      const int64_t inner = at.inner + row, pixel = at.pixel + x;
      if (inner < p.inner.size() && pixel < p.pixels)
        tile[row][x] = from[(at.outer * p.inner.size() + inner) * p.pixels + pixel];
    }
    __syncthreads();
    for (int row = y; row < Planes::kTile; row += Planes::kRows) {
      const int64_t inner = at.inner + x, pixel = at.pixel + row;
      if (inner < p.inner.size() && pixel < p.pixels)
        parts.put((at.outer * p.pixels + pixel) * parts.row + inner, tile[x][row]);
    }
  }
};

/// Weights in groups, with channels first, in parts without, with channels last.
template <class I>
struct SplitWeights {
  GroupedPlaces<I> places;
  Divisor<I> by_channels;
  I channels;
  const float* from;
  Parts parts;

  __device__ void operator()(I i) const {
    const I at = places.in_groups(i), row = by_channels(i);
    parts.put(int64_t{row} * parts.row + (i - row * channels), at < 0 ? 0.0f : from[at]);
  }
};

/// A convolution of float32 tensors with channels first by a plan of cuDNN's for TF32, where that was measured to be
/// faster than all that float32 has, and to agree with our own kernel as well.
class SplitConvolution {
 public:
  /// `limit`: milliseconds that it must stay below; without, nothing is timed, and this is not taken.
  SplitConvolution(Prepare& step, Pass pass, const Conv2dShape& s, const Tensor& image, const Tensor& weight,
                   const Tensor& features, const Epilogue& epilogue, const Vendor::OwnConvolution& own,
                   std::optional<float> limit)
      : vendor_(&vendor_of(step.device())), pass_(pass), s_(s), epilogue_(epilogue) {
    if (!limit || !takes(step.precision()) || (pass != Pass::features && (epilogue.bias || epilogue.relu))) return;
    tensors_ = {image.data, weight.data, epilogue.bias, features.data, nullptr};
    const Found<Convolution>* const found = vendor_->convolution(shape(), own);
    // The plan alone must be faster.
    if (!found || !found->milliseconds || *found->milliseconds >= *limit) return;
    plan_ = &found->plan;
    const auto work = [this](cudaStream_t stream, const ConvolutionShape&, const ConvolutionTensors& tensors) {
      run({stream, tensors.workspace, nullptr}, tensors);
    };
    const auto time = vendor_->exact(plain(), own, {work, scratch()});
    if (!time || *time >= *limit) plan_ = nullptr;
    if (plan_) step.scratch(scratch());
  }

  explicit operator bool() const { return plan_ != nullptr; }
  void run(const Launch& launch) const { run(launch, tensors_); }

 private:
  static constexpr int64_t kParts = 3, kMostGroups = 4;

  int64_t channels() const { return s_.groups * s_.channels; }
  int64_t filters() const { return s_.groups * s_.filters; }
  int64_t image_pixels() const { return s_.height.image * s_.width.image; }
  /// Tensor cores read channels by eights.
  bool takes(Precision precision) const {
    return precision == Precision::f32 && channels() % kLanes == 0 && filters() % kLanes == 0 &&
           s_.groups <= kMostGroups;
  }
  ConvolutionShape plain() const {
    return {pass_,       Precision::f32, epilogue_.bias != nullptr, epilogue_.relu, s_.images, s_.groups,
            s_.channels, s_.filters,     axis(s_.height),           axis(s_.width)};
  }
  ConvolutionShape shape() const {
    const auto deep = [this](Pass pass, int64_t extent) { return pass_ == pass ? kParts * extent : extent; };
    return {pass_,
            Precision::tf32,
            false,
            false,
            deep(Pass::weight, s_.images),
            1,
            deep(Pass::features, channels()),
            deep(Pass::image, filters()),
            axis(s_.height),
            axis(s_.width)};
  }
  static ConvolutionShape::Axis axis(const Extent& e) {
    return {e.image, e.features, e.taps, e.stride, e.pad, e.dilation};
  }

  /// In scratch memory: image, weight and features as the plan has them, then what it works in.
  static size_t aligned(int64_t numbers) { return (static_cast<size_t>(numbers) * sizeof(float) + 255) / 256 * 256; }
  size_t weight_at() const { return aligned(shape().image_size()); }
  size_t features_at() const { return weight_at() + aligned(shape().weight_size()); }
  size_t workspace_at() const { return features_at() + aligned(shape().features_size()); }
  size_t scratch() const { return workspace_at() + plan_->workspace(); }

  void run(const Launch& launch, const ConvolutionTensors& t) const {
    auto* const scratch = static_cast<uint8_t*>(launch.scratch);
    auto* const image = reinterpret_cast<float*>(scratch);
    auto* const weight = reinterpret_cast<float*>(scratch + weight_at());
    auto* const features = reinterpret_cast<float*>(scratch + features_at());
    const int64_t n = s_.images, taps = s_.taps();
    if (pass_ != Pass::image) split(launch, t.image, image, channels(), image_pixels(), true);
    if (pass_ != Pass::features) split(launch, t.features, features, filters(), s_.pixels(), pass_ == Pass::image);
    if (pass_ == Pass::features) split_weights(launch, t.weight, {weight, kParts * channels(), channels(), false});
    if (pass_ == Pass::image)
      split_weights(launch, t.weight, {weight, channels(), filters() * taps * channels(), false});
    vendor_->run(*plan_, launch.stream, {image, weight, nullptr, features, scratch + workspace_at()});
    const auto back = [&](const float* from, const void* to, int64_t planes, int64_t pixels) {
      const Planes p = planes_of(n, planes, pixels);
      auto* const result = static_cast<float*>(const_cast<void*>(to));
      for_blocks(launch, p.blocks(),
                 FromLast<float, float>{p, from, result, nullptr, {static_cast<const float*>(t.bias), epilogue_.relu}});
    };
    if (pass_ == Pass::features) return back(features, t.features, filters(), s_.pixels());
    if (pass_ == Pass::image) return back(image, t.image, channels(), image_pixels());
    with_index(grouped().whole(), [&](auto index) {
      using I = decltype(index);
      auto* const result = static_cast<float*>(const_cast<void*>(t.weight));
      for_each<I>(launch, grouped().whole(),
                  InGroups<float, float, I>{GroupedPlaces<I>(grouped()), weight, result, nullptr});
    });
  }

  GroupedWeights grouped() const { return {s_.groups, s_.filters, s_.channels, s_.taps(), false}; }
  static Planes planes_of(int64_t images, int64_t planes, int64_t pixels) {
    return {Planes::Axis::of(1, images, false), Planes::Axis::of(1, planes, false), pixels};
  }
  /// Parts side by side in each pixel or, where images are added up, one behind the other.
  void split(const Launch& launch, const void* from, float* to, int64_t planes, int64_t pixels, bool left) const {
    const Planes p = planes_of(s_.images, planes, pixels);
    const bool behind = pass_ == Pass::weight;
    for_blocks(launch, p.blocks(),
               SplitImages{p,
                           static_cast<const float*>(from),
                           {to, behind ? planes : kParts * planes, behind ? p.size() : planes, left}});
  }
  void split_weights(const Launch& launch, const void* from, const Parts& parts) const {
    with_index(grouped().whole(), [&](auto index) {
      using I = decltype(index);
      for_each<I>(launch, grouped().whole(),
                  SplitWeights<I>{GroupedPlaces<I>(grouped()), Divisor<I>(channels()), static_cast<I>(channels()),
                                  static_cast<const float*>(from), parts});
    });
  }

  Vendor* vendor_;
  Pass pass_;
  Conv2dShape s_;
  Epilogue epilogue_;
  ConvolutionTensors tensors_{};
  const Convolution* plan_ = nullptr;
};

}  // namespace cortado::cuda
