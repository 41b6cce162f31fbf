// Extents of convolution, its gradients and deconvolution (one image side, one feature side, filters between them), and
// of inner products.
#pragma once

#include "checks.h"
#include "formula.h"

namespace cortado::CORTADO_ISA {

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
  CORTADO_INLINE Conv2dShape(Prepare& step, const Tensor& image, const Tensor& features, const Tensor& weight,
                             DType image_type = DType::f32, DType features_type = DType::f32,
                             DType weight_type = DType::f32)
      : groups(step.integer("groups")) {
    step.expect(holds(image, image.size(), image_type) && holds(features, features.size(), features_type),
                "images and features");
    step.expect(may_hold(weight, weight.size(), weight_type), "a weight's numbers");
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
  CORTADO_INLINE Conv2dShape(Prepare& step, const Tensor& weight) : images(1), groups(step.integer("groups")) {
    step.expect(weight.rank == 4 && holds(weight, weight.size()) && groups > 0 && weight.dim[0] % groups == 0,
                "a weight for these groups");
    channels = weight.dim[1];
    filters = weight.dim[0] / groups;
    height = {weight.dim[2], 1, weight.dim[2], 1, 0, 1};
    width = {weight.dim[3], 1, weight.dim[3], 1, 0, 1};
  }

  CORTADO_FORMULA int64_t taps() const { return height.taps * width.taps; }
  CORTADO_FORMULA int64_t pixels() const { return height.features * width.features; }
};

/// Extents of x (rows, inputs), y (rows, units) and of the weight: (units, inputs), or (inputs, units) if transpose.
struct DenseShape {
  int64_t rows, inputs, units;
  bool transpose;

  CORTADO_INLINE DenseShape(Prepare& step, const Tensor& x, const Tensor& y, const Tensor& weight, const Tensor& bias,
                            DType x_type = DType::f32, DType y_type = DType::f32, DType weight_type = DType::f32) {
    const int64_t axis = step.integer("axis");
    step.expect(holds(x, x.size(), x_type) && holds(y, y.size(), y_type), "inputs and outputs");
    step.expect(axis >= 0 && axis <= x.rank && y.rank > 0, "an axis of x");
    rows = x.count(0, static_cast<int>(axis));
    inputs = x.count(static_cast<int>(axis), x.rank);
    units = y.dim[y.rank - 1];
    transpose = step.integer("transpose") != 0;
    step.expect(rows > 0 && inputs > 0 && units > 0 && y.size() == rows * units, "as many rows of y as of x");
    step.expect(may_hold(weight, inputs * units, weight_type), "a weight for these inputs and units");
    step.expect(may_hold(bias, units), "a bias for every unit");
  }
};

}  // namespace cortado::CORTADO_ISA
