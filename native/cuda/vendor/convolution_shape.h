#pragma once

#include <stdint.h>

#include <string>

#include "../../core/precision.h"
#include "cudnn_api.h"

namespace cortado::cuda {

/// A convolution, or one of its gradients: what of image, weight and features is made of the two others.
enum class Pass : uint8_t { features, image, weight };

/// All that decides how a convolution is computed. Image (images, groups * channels, height.image, width.image), weight
/// (groups * filters, channels, height.taps, width.taps), features (images, groups * filters, height.features,
/// width.features).
struct ConvolutionShape {
  struct Axis {
    int64_t image, features, taps, stride, pad, dilation;
  };

  /// Of our own kernels, among which a choice was made: raised whenever those change.
  static constexpr int kOwnVersion = 2;

  Pass pass;
  Precision precision;
  bool bias, relu;  // features + bias, rectified: of Pass::features only
  int64_t images, groups, channels, filters;
  Axis height, width;

  /// Whether tensors have channels last, as tensor cores read them.
  bool last() const { return precision != Precision::f32; }
  /// Whether they hold 16-bit numbers; otherwise they hold float32.
  bool halves() const { return precision == Precision::bf16 || precision == Precision::f16; }
  api::cudnnDataType_t type() const {
    return precision == Precision::bf16  ? api::CUDNN_DATA_BFLOAT16
           : precision == Precision::f16 ? api::CUDNN_DATA_HALF
                                         : api::CUDNN_DATA_FLOAT;
  }
  /// Numbers in each tensor.
  int64_t image_size() const { return images * groups * channels * height.image * width.image; }
  int64_t weight_size() const { return groups * filters * channels * height.taps * width.taps; }
  int64_t features_size() const { return images * groups * filters * height.features * width.features; }
  /// In words: for errors, and to tell one from the others.
  std::string text() const;
};

}  // namespace cortado::cuda
