// A convolution of cuDNN's on tensors of ours.
#pragma once

#include "../kernels/products.h"
#include "device.h"
#include "half_scales.h"
#include "halves.h"
#include "vendor/vendor.h"

namespace cortado::cuda {

/// Result = epilogue(result), by planes.
struct ApplyEpilogue {
  float* data;
  int64_t planes, pixels;
  Epilogue epilogue;
  __device__ void operator()(int64_t i) const { data[i] = epilogue(i / pixels % planes, data[i]); }
};

/// A plan of cuDNN's with what lies around it: nothing in float32, where the plan may also do the epilogue; in 16 bits
/// the way of the tensors there and back, which does it.
class LibraryConvolution {
 public:
  LibraryConvolution(Prepare& step, Pass pass, const Conv2dShape& s, const ConvolutionTensors& tensors,
                     const Epilogue& epilogue)
      : vendor_(&vendor_of(step.device())), tensors_(tensors), epilogue_(epilogue), pass_(pass) {
    if (!tensors.image || !tensors.weight || !tensors.features) return;  // a gradient that nobody wants
    precision_ = step.precision();
    choose(s);
    if (!plan_) return;
    const int64_t depth[] = {s.channels * s.taps(), s.filters * s.taps(), s.images * s.pixels()};
    depth_ = depth[static_cast<int>(pass)];
    step.scratch(workspace_at() + plan_->workspace());
  }

  explicit operator bool() const { return plan_ != nullptr; }

  void run(const Launch& launch) const {
    if (precision_ == Precision::bf16) return run_halves<true>(launch);
    if (precision_ == Precision::f16) return run_halves<false>(launch);
    ConvolutionTensors tensors = tensors_;
    tensors.workspace = launch.scratch;
    vendor_->run(*plan_, launch.stream, tensors);
    if (fused_ || (!epilogue_.bias && !epilogue_.relu)) return;
    const Planes& p = planes_[result()];
    for_each(launch, p.size(), ApplyEpilogue{ours(result()), p.inner.groups * p.inner.count, p.pixels, epilogue_});
  }

 private:
  enum Side { kImageSide, kWeightSide, kFeaturesSide };

  /// Finds a plan, with the epilogue where it can have one.
  void choose(const Conv2dShape& s) {
    const bool halves = precision_ == Precision::bf16 || precision_ == Precision::f16;
    using Axis = Planes::Axis;
    planes_[kImageSide] = {Axis::of(1, s.images, false), Axis::of(s.groups, s.channels, halves),
                           s.height.image * s.width.image};
    planes_[kWeightSide] = {Axis::of(s.groups, s.filters, halves), Axis::of(1, s.channels, halves), s.taps()};
    planes_[kFeaturesSide] = {Axis::of(1, s.images, false), Axis::of(s.groups, s.filters, halves), s.pixels()};
    const auto axis = [](const Extent& e) {
      return ConvolutionShape::Axis{e.image, e.features, e.taps, e.stride, e.pad, e.dilation};
    };
    ConvolutionShape shape{
        pass_,          precision_,   epilogue_.bias != nullptr,         epilogue_.relu,
        s.images,       s.groups,     planes_[kWeightSide].inner.padded, planes_[kWeightSide].outer.padded,
        axis(s.height), axis(s.width)};
    fused_ = !halves && pass_ == Pass::features && (shape.bias || shape.relu);
    if (fused_) plan_ = vendor_->convolution(shape);
    if (plan_) return;
    fused_ = shape.bias = shape.relu = false;
    plan_ = vendor_->convolution(shape);
  }

  /// The number of the side that is computed, and those of the two that it is computed from.
  int result() const {
    return pass_ == Pass::features ? kFeaturesSide : pass_ == Pass::image ? kImageSide : kWeightSide;
  }
  int left() const { return pass_ == Pass::image ? kFeaturesSide : kImageSide; }
  int right() const { return pass_ == Pass::weight ? kFeaturesSide : kWeightSide; }

  float* ours(int side) const {
    const void* const all[] = {tensors_.image, tensors_.weight, tensors_.features};
    return static_cast<float*>(const_cast<void*>(all[side]));
  }

  /// In scratch memory: three tensors of halves, the scales, what the plan works in.
  static size_t whole(size_t bytes) { return (bytes + 255) / 256 * 256; }
  size_t halves_at(int side) const {
    size_t at = 0;
    for (int i = 0; i < side; ++i) at += whole(planes_[i].bytes());
    return at;
  }
  size_t workspace_at() const {
    if (precision_ != Precision::bf16 && precision_ != Precision::f16) return 0;
    return halves_at(3) + whole(HalfScales::kBytes);
  }

  template <bool kBrain>
  void run_halves(const Launch& launch) const {
    auto* const scratch = static_cast<uint8_t*>(launch.scratch);
    const auto halves = [&](int side) { return reinterpret_cast<uint16_t*>(scratch + halves_at(side)); };
    const int a = left(), b = right(), c = result();
    HalfScales scales{{ours(a), ours(b)},
                      {planes_[a].size(), planes_[b].size()},
                      depth_,
                      reinterpret_cast<float*>(scratch + halves_at(3))};
    if (!kBrain) scales.run(launch);
    const auto factor = [](float* scale) { return kBrain ? nullptr : scale; };
    for_blocks(launch, planes_[a].blocks(), ToHalves<kBrain>{planes_[a], ours(a), halves(a), factor(scales.left())});
    for_blocks(launch, planes_[b].blocks(), ToHalves<kBrain>{planes_[b], ours(b), halves(b), factor(scales.right())});
    vendor_->run(*plan_, launch.stream,
                 {halves(kImageSide), halves(kWeightSide), nullptr, halves(kFeaturesSide), scratch + workspace_at()});
    for_blocks(launch, planes_[c].blocks(),
               FromHalves<kBrain>{planes_[c], halves(c), ours(c), factor(scales.result()), epilogue_});
  }

  Vendor* vendor_;
  ConvolutionTensors tensors_;
  Epilogue epilogue_;
  Pass pass_;
  Precision precision_ = Precision::f32;
  const Convolution* plan_ = nullptr;
  bool fused_ = false;
  int64_t depth_ = 0;
  Planes planes_[3];
};

}  // namespace cortado::cuda
