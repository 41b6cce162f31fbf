// A convolution of cuDNN's on tensors of ours.
#pragma once

#include "../kernels/products.h"
#include "convert.h"
#include "device.h"
#include "grouped_weights.h"
#include "half_scales.h"
#include "vendor/vendor.h"

namespace cortado::cuda {

/// Result = epilogue(result), by planes.
struct ApplyEpilogue {
  float* data;
  int64_t planes, pixels;
  Epilogue epilogue;
  __device__ void operator()(int64_t i) const { data[i] = epilogue(i / pixels % planes, data[i]); }
};

/// What a library is told of a convolution.
inline ConvolutionShape described(Pass pass, Precision precision, const Conv2dShape& s, const Epilogue& epilogue) {
  const auto axis = [](const Extent& e) {
    return ConvolutionShape::Axis{e.image, e.features, e.taps, e.stride, e.pad, e.dilation};
  };
  return {pass,       precision, epilogue.bias != nullptr, epilogue.relu, s.images, s.groups,
          s.channels, s.filters, axis(s.height),           axis(s.width)};
}

/// A plan of cuDNN's with what lies around it. In float32 that is nothing. For tensor cores it is the way of those
/// tensors that do not lie as the plan wants them: with channels last, in its type, every group's channels a multiple
/// of 8, and perhaps without groups. The epilogue is the plan's or done on the way back. Of what is possible the
/// fastest is taken.
class LibraryConvolution {
 public:
  LibraryConvolution(Prepare& step, Pass pass, const Conv2dShape& s, const Tensor& image, const Tensor& weight,
                     const Tensor& features, const Epilogue& epilogue, const Vendor::OwnConvolution& own)
      : vendor_(&vendor_of(step.device())), tensor_{image, weight, features}, epilogue_(epilogue), pass_(pass) {
    if (!image || !weight || !features) return;  // a gradient that nobody wants
    precision_ = step.precision();
    bool floats = true;
    for (const Tensor& tensor : tensor_) floats &= tensor.dtype == DType::f32 && !tensor.channels_last;
    if (!floats && !last()) return;
    // What is bfloat16 has no more digits to lose, and needs no scale.
    const bool brain = tensor_[left()].dtype == DType::bf16 || tensor_[right()].dtype == DType::bf16;
    if (halves() && brain) precision_ = Precision::bf16;
    choose(s, own);
    const int64_t depth[] = {s.channels * s.taps(), s.filters * s.taps(), s.images * s.pixels()};
    depth_ = depth[static_cast<int>(pass)];
  }

  explicit operator bool() const { return plan_ != nullptr; }
  /// Scratch for run().
  size_t bytes() const { return workspace_at() + plan_->workspace(); }
  /// With what lies around the plan; nothing where it was not timed.
  std::optional<float> milliseconds() const { return timed_ ? std::optional(least_) : std::nullopt; }

  void run(const Launch& launch) const {
    if (last()) return run_last(launch);
    const Tensor* t = tensor_;
    vendor_->run(*plan_, launch.stream, {t[0].data, t[1].data, epilogue_.bias, t[2].data, launch.scratch});
    if (fused_ || (!epilogue_.bias && !epilogue_.relu)) return;
    const Planes& p = planes_[result()];
    for_each(launch, p.size(),
             ApplyEpilogue{tensor_[result()].f32(), p.inner.groups * p.inner.count, p.pixels, epilogue_});
  }

 private:
  enum Side { kImageSide, kWeightSide, kFeaturesSide };

  /// Of the plan's tensors.
  DType type() const {
    return precision_ == Precision::bf16 ? DType::bf16 : precision_ == Precision::f16 ? DType::f16 : DType::f32;
  }
  bool halves() const { return type() != DType::f32; }
  size_t width() const { return halves() ? 2 : 4; }
  /// Whether they have channels last.
  bool last() const { return precision_ != Precision::f32; }

  /// Weights are multiplied by no more than this to be rid of groups.
  static constexpr int64_t kMostGroups = 4;

  /// Finds out where the tensors lie and takes the fastest plan.
  void choose(const Conv2dShape& s, const Vendor::OwnConvolution& own) {
    using Axis = Planes::Axis;
    const bool last = this->last();
    planes_[kImageSide] = {Axis::of(1, s.images, false), Axis::of(s.groups, s.channels, last),
                           s.height.image * s.width.image};
    planes_[kWeightSide] = {Axis::of(s.groups, s.filters, last), Axis::of(1, s.channels, last), s.taps()};
    planes_[kFeaturesSide] = {Axis::of(1, s.images, false), Axis::of(s.groups, s.filters, last), s.pixels()};
    weights_ = {s.groups, s.filters, s.channels, s.taps(), lies_last(kWeightSide)};
    for (const int side : {left(), right(), result()}) direct_[side] = last && lies_so(side);
    if (scaled() && direct_[left()]) direct_[right()] = false;  // it is brought to where their sums fit
    const bool epilogue = pass_ == Pass::features && (epilogue_.bias || epilogue_.relu);
    const bool fusible = epilogue && (!last || (direct_[kFeaturesSide] && !scaled()));
    const bool separable =
        last && s.groups > 1 && s.groups <= kMostGroups && planes_[kWeightSide].whole() && countable(weights_.whole());
    for (const bool fused : {true, false}) {
      for (const bool whole : {false, true}) {
        if ((whole && !separable) || (fused && !fusible)) continue;
        const Found<Convolution>* found = vendor_->convolution(shape_of(s, whole, fused), own);
        if (!found) continue;
        const float time = found->milliseconds.value_or(0) + around(whole, epilogue && !fused);
        // Where nothing was timed, the first.
        if (plan_ && (!found->milliseconds || time >= least_)) continue;
        plan_ = &found->plan;
        least_ = time;
        timed_ = found->milliseconds.has_value();
        fused_ = fused;
        whole_ = whole;
      }
    }
    if (whole_) direct_[kWeightSide] = false;
  }

  ConvolutionShape shape_of(const Conv2dShape& s, bool whole, bool fused) const {
    ConvolutionShape shape = described(pass_, precision_, s, fused ? epilogue_ : Epilogue{});
    const int64_t together = whole ? s.groups : 1;
    shape.groups = s.groups / together;
    shape.channels = planes_[kWeightSide].inner.padded * together;
    shape.filters = planes_[kWeightSide].outer.padded * together;
    return shape;
  }

  /// Milliseconds of what is done around a plan: weights brought to where there are no groups, or the epilogue by
  /// itself where the plan writes its result where it belongs.
  float around(bool whole, bool epilogue) const {
    const bool itself = epilogue && (!last() || direct_[result()]);
    const size_t result_bytes = static_cast<size_t>(tensor_[result()].size()) * width();
    return (whole ? vendor_->moving(static_cast<size_t>(weights_.whole()) * 2 * width()) : 0.0f) +
           (itself ? vendor_->moving(2 * result_bytes) : 0.0f);
  }

  /// The number of the side that is computed, and those of the two that it is computed from.
  int result() const {
    return pass_ == Pass::features ? kFeaturesSide : pass_ == Pass::image ? kImageSide : kWeightSide;
  }
  int left() const { return pass_ == Pass::image ? kFeaturesSide : kImageSide; }
  int right() const { return pass_ == Pass::weight ? kFeaturesSide : kWeightSide; }

  bool scaled() const { return precision_ == Precision::f16; }
  /// Whether channels are last, or might as well be.
  bool lies_last(int side) const { return tensor_[side].channels_last || planes_[side].either(); }
  /// Whether the plan can take the tensor where it is.
  bool lies_so(int side) const { return lies_last(side) && planes_[side].whole() && tensor_[side].dtype == type(); }

  /// In scratch memory: the tensors that are brought, the scales or the bias, what the plan works in.
  static size_t aligned(size_t bytes) { return (bytes + 255) / 256 * 256; }
  size_t brought_at(int side) const {
    size_t at = 0;
    for (int i = 0; i < side; ++i) {
      const int64_t numbers = i == kWeightSide && whole_ ? weights_.whole() : planes_[i].filled();
      at += direct_[i] ? 0 : aligned(static_cast<size_t>(numbers) * width());
    }
    return at;
  }
  size_t workspace_at() const {
    if (!last()) return 0;
    const auto biases = static_cast<size_t>(planes_[kWeightSide].outer.size()) * width();
    return brought_at(3) + aligned(scaled() ? HalfScales::kBytes : halves() && fused_ && epilogue_.bias ? biases : 0);
  }

  void run_last(const Launch& launch) const {
    auto* const scratch = static_cast<uint8_t*>(launch.scratch);
    const auto theirs = [&](int side) -> void* {
      return direct_[side] ? tensor_[side].data : scratch + brought_at(side);
    };
    const int a = left(), b = right();
    uint8_t* const beside = scratch + brought_at(3);
    const void* bias = epilogue_.bias;
    HalfScales scales{{tensor_[a], tensor_[b]},
                      {planes_[a].size(), planes_[b].size()},
                      depth_,
                      {direct_[a], direct_[b]},
                      reinterpret_cast<float*>(beside)};
    if (scaled()) scales.run(launch);
    if (!direct_[a]) bring(launch, a, theirs(a), scaled() ? scales.left() : nullptr);
    if (!direct_[b]) bring(launch, b, theirs(b), scaled() ? scales.right() : nullptr);
    if (halves() && fused_ && epilogue_.bias) {
      convert(launch, planes_[kWeightSide].outer.size(), epilogue_.bias, beside, type());
      bias = beside;
    }
    vendor_->run(*plan_, launch.stream,
                 {theirs(kImageSide), theirs(kWeightSide), bias, theirs(kFeaturesSide), scratch + workspace_at()});
    bring_back(launch, theirs(result()), scaled() ? scales.result() : nullptr);
  }

  /// The tensor of a side to where the plan reads it.
  void bring(const Launch& launch, int side, void* to, const float* scale) const {
    if (side == kWeightSide && whole_) return without_groups(launch, weights_, tensor_[side], to, type(), scale);
    to_last(launch, planes_[side], tensor_[side], to, type(), scale);
  }

  /// The result from where the plan has written it, with what the plan has not done of the epilogue.
  void bring_back(const Launch& launch, const void* from, const float* scale) const {
    const int side = result();
    const Epilogue epilogue = fused_ ? Epilogue{} : epilogue_;
    if (direct_[side] && !scale && !epilogue.bias && !epilogue.relu) return;
    if (side == kWeightSide && whole_) return in_groups(launch, weights_, from, type(), tensor_[side], scale);
    from_last(launch, planes_[side], from, type(), tensor_[side], scale, epilogue);
  }

  Vendor* vendor_;
  Tensor tensor_[3];
  Epilogue epilogue_;
  Pass pass_;
  Precision precision_ = Precision::f32;
  const Convolution* plan_ = nullptr;
  float least_ = 0;
  bool timed_ = false;
  bool fused_ = false;  // the epilogue is the plan's
  bool whole_ = false;  // the plan's weights are without groups
  GroupedWeights weights_{};
  bool direct_[3] = {};  // the plan reads or writes the tensor itself
  int64_t depth_ = 0;
  Planes planes_[3];
};

}  // namespace cortado::cuda
