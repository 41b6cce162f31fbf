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
  LibraryConvolution(Prepare& step, Pass pass, const Conv2dShape& s, const Tensor& image, const Tensor& weight,
                     const Tensor& features, const Epilogue& epilogue)
      : vendor_(&vendor_of(step.device())), tensor_{image, weight, features}, epilogue_(epilogue), pass_(pass) {
    if (!image || !weight || !features) return;  // a gradient that nobody wants
    precision_ = step.precision();
    bool floats = true;
    for (const Tensor& tensor : tensor_) floats &= tensor.dtype == DType::f32;
    if (!floats && !halves()) return;
    choose(s);
    if (!plan_) return;
    const int64_t depth[] = {s.channels * s.taps(), s.filters * s.taps(), s.images * s.pixels()};
    depth_ = depth[static_cast<int>(pass)];
    step.scratch(workspace_at() + plan_->workspace());
  }

  explicit operator bool() const { return plan_ != nullptr; }

  void run(const Launch& launch) const {
    if (precision_ == Precision::bf16) return run_halves<Brain>(launch);
    if (precision_ == Precision::f16) return run_halves<Half>(launch);
    const Tensor* t = tensor_;
    vendor_->run(*plan_, launch.stream, {t[0].data, t[1].data, epilogue_.bias, t[2].data, launch.scratch});
    if (fused_ || (!epilogue_.bias && !epilogue_.relu)) return;
    const Planes& p = planes_[result()];
    for_each(launch, p.size(),
             ApplyEpilogue{tensor_[result()].f32(), p.inner.groups * p.inner.count, p.pixels, epilogue_});
  }

 private:
  enum Side { kImageSide, kWeightSide, kFeaturesSide };

  /// Whether the plan's tensors are of 16 bits, with channels last.
  bool halves() const { return precision_ == Precision::bf16 || precision_ == Precision::f16; }

  /// Finds a plan, with the epilogue where it can have one.
  void choose(const Conv2dShape& s) {
    using Axis = Planes::Axis;
    const bool halves = this->halves();
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

  template <class T>
  void run_halves(const Launch& launch) const {
    constexpr bool kScaled = kType<T> == DType::f16;
    auto* const scratch = static_cast<uint8_t*>(launch.scratch);
    const auto theirs = [&](int side) { return reinterpret_cast<T*>(scratch + halves_at(side)); };
    const int a = left(), b = right(), c = result();
    HalfScales scales{{tensor_[a], tensor_[b]},
                      {planes_[a].size(), planes_[b].size()},
                      depth_,
                      reinterpret_cast<float*>(scratch + halves_at(3))};
    if (kScaled) scales.run(launch);
    const auto bring = [&](int side, const float* scale) {
      with_numbers(tensor_[side].dtype, [&](auto number) {
        using Ours = decltype(number);
        for_blocks(
            launch, planes_[side].blocks(),
            ToHalves<Ours, T>{planes_[side], numbers<Ours>(tensor_[side]), theirs(side), kScaled ? scale : nullptr});
      });
    };
    bring(a, scales.left());
    bring(b, scales.right());
    vendor_->run(*plan_, launch.stream,
                 {theirs(kImageSide), theirs(kWeightSide), nullptr, theirs(kFeaturesSide), scratch + workspace_at()});
    with_numbers(tensor_[c].dtype, [&](auto number) {
      using Ours = decltype(number);
      for_blocks(launch, planes_[c].blocks(),
                 FromHalves<T, Ours>{planes_[c], theirs(c), numbers_to<Ours>(tensor_[c]),
                                     kScaled ? scales.result() : nullptr, epilogue_});
    });
  }

  Vendor* vendor_;
  Tensor tensor_[3];
  Epilogue epilogue_;
  Pass pass_;
  Precision precision_ = Precision::f32;
  const Convolution* plan_ = nullptr;
  bool fused_ = false;
  int64_t depth_ = 0;
  Planes planes_[3];
};

}  // namespace cortado::cuda
