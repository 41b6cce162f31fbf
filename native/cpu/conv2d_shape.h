// What convolution, its gradients and deconvolution have in common: one image side, one feature side, filters between
// them.
#pragma once

#include "../core/kernel.h"
#include "elementwise.h"
#include "gemm_grid.h"

namespace cortado::CORTADO_ISA {
namespace {

/// One of the two spatial dimensions.
struct Extent {
  int64_t image, features, taps, stride, pad, dilation;

  /// Whether a convolution of this image has these features: Caffe rounds down.
  CORTADO_INLINE bool agrees() const {
    constexpr int64_t kMost = int64_t{1} << 31;
    if (stride < 1 || dilation < 1 || pad < 0 || stride > kMost || dilation > kMost || pad > kMost) return false;
    if (taps > kMost || image > kMost) return false;
    const int64_t room = image + 2 * pad - dilation * (taps - 1) - 1;
    return room >= 0 && features == room / stride + 1;
  }
};

/// Extents of: image (n, groups * channels, height.image, width.image), features (n, groups * filters, height.features,
/// width.features), weight (groups * filters, channels, height.taps, width.taps). Convolution reads the image and makes
/// the features; deconvolution and convolution's input gradient go the other way.
struct Conv2dShape {
  int64_t images, groups, channels, filters;
  Extent height, width;

  /// Without a weight (a gradient of the bias alone) there are no taps.
  Conv2dShape(Prepare& step, const Tensor& image, const Tensor& features, const Tensor& weight)
      : groups(step.integer("groups")) {
    step.expect(holds(image, image.size()) && holds(features, features.size()) && may_hold(weight, weight.size()),
                "images, features and a weight");
    step.expect(image.rank == 4 && features.rank == 4 && (!weight || weight.rank == 4), "tensors of 4 axes");
    step.expect(image.size() > 0 && features.size() > 0 && image.dim[0] == features.dim[0], "batches of one size");
    step.expect(groups > 0 && image.dim[1] % groups == 0 && features.dim[1] % groups == 0,
                "channels and filters that divide into groups");
    images = image.dim[0];
    channels = image.dim[1] / groups;
    filters = features.dim[1] / groups;
    height = {image.dim[2],         features.dim[2],          weight.dim[2], step.integer("strideH"),
              step.integer("padH"), step.integer("dilationH")};
    width = {image.dim[3],         features.dim[3],          weight.dim[3], step.integer("strideW"),
             step.integer("padW"), step.integer("dilationW")};
    if (!weight) return;
    step.expect(weight.size() > 0 && weight.dim[0] == features.dim[1] && weight.dim[1] == channels,
                "a weight for these channels and filters");
    step.expect(height.agrees() && width.agrees(), "windows that fit the image and make these features");
  }

  /// Of a weight alone, which a convolution of any images may use.
  Conv2dShape(Prepare& step, const Tensor& weight) : images(1), groups(step.integer("groups")) {
    step.expect(weight.rank == 4 && holds(weight, weight.size()) && groups > 0 && weight.dim[0] % groups == 0,
                "a weight for these groups");
    channels = weight.dim[1];
    filters = weight.dim[0] / groups;
    height = {weight.dim[2], 1, weight.dim[2], 1, 0, 1};
    width = {weight.dim[3], 1, weight.dim[3], 1, 0, 1};
  }

  CORTADO_INLINE int64_t taps() const { return height.taps * width.taps; }
  CORTADO_INLINE int64_t pixels() const { return height.features * width.features; }
};

/// Copies `planes` planes of height x width into planes of frame_height x frame_width whose corner lies at (top, left)
/// of the plane; what lies outside the plane is zero, and what lies outside the frame is left out. top and left are <=
/// 0.
inline void copy_framed(const float* from, int64_t planes, int64_t height, int64_t width, int64_t top, int64_t left,
                        float* to, int64_t frame_height, int64_t frame_width) {
  const int64_t rows = larger(0, smaller(height, frame_height + top));
  const int64_t columns = larger(0, smaller(width, frame_width + left));
  for (int64_t plane = 0; plane < planes; ++plane) {
    const float* source = from + plane * height * width;
    float* target = to + plane * frame_height * frame_width;
    memset(target, 0, static_cast<size_t>(frame_height * frame_width) * sizeof(float));
    for (int64_t y = 0; y < rows; ++y) {
      float* row = target + (y - top) * frame_width - left;
      memcpy(row, source + y * width, static_cast<size_t>(columns) * sizeof(float));
    }
  }
}

}  // namespace
}  // namespace cortado::CORTADO_ISA
