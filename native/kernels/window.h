// Geometry of pooling windows: Caffe's pooling_layer.cpp.
#pragma once

#include "../core/kernel.h"
#include "formula.h"

namespace cortado::CORTADO_ISA {

/// Extents of a pooling step, as its kernels on every device read them. x is (planes, h, w), y is (planes, oh, ow).
struct PoolShape {
  int64_t planes, h, w, oh, ow, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w;

  CORTADO_INLINE PoolShape(Prepare& step, const Tensor& x, const Tensor& y, DType dtype = DType::f32)
      : planes(x.count(0, 2)),
        h(x.dim[2]),
        w(x.dim[3]),
        oh(y.dim[2]),
        ow(y.dim[3]),
        kernel_h(step.integer("kernelH")),
        kernel_w(step.integer("kernelW")),
        stride_h(step.integer("strideH")),
        stride_w(step.integer("strideW")),
        pad_h(step.integer("padH")),
        pad_w(step.integer("padW")) {
    step.expect(x.rank == 4 && y.rank == 4 && x.size() > 0 && y.size() > 0, "images and their windows");
    step.expect(x.dtype == dtype && y.count(0, 2) == planes, "as many planes pooled as there are");
    step.expect(agrees(h, oh, kernel_h, stride_h, pad_h) && agrees(w, ow, kernel_w, stride_w, pad_w) &&
                    kernel_h < kFar / kernel_w,
                "windows that all touch the image");
  }

  /// The window is the whole plane.
  CORTADO_FORMULA bool global() const {
    return oh == 1 && ow == 1 && pad_h == 0 && pad_w == 0 && kernel_h >= h && kernel_w >= w;
  }

 private:
  static constexpr int64_t kFar = int64_t{1} << 31;

  static CORTADO_FORMULA bool agrees(int64_t size, int64_t outputs, int64_t kernel, int64_t stride, int64_t pad) {
    return kernel > 0 && kernel < kFar && stride > 0 && pad >= 0 && pad < kernel &&
           (outputs == 1 || stride <= (size + pad) / (outputs - 1)) && (outputs - 1) * stride - pad < size;
  }
};

/// One axis of one window: `start` in the plane (negative in the padding), taps [first, last) that lie in the plane,
/// and the extent that an average divides by: padding counts, the overhang of a rounded-up last window does not.
struct WindowSpan {
  int64_t start, first, last, extent;

  CORTADO_FORMULA WindowSpan(int64_t output, int64_t size, int64_t kernel, int64_t stride, int64_t pad)
      : start(output * stride - pad),
        first(start < 0 ? -start : 0),
        last(start + kernel > size ? size - start : kernel),
        extent(start + kernel > size + pad ? size + pad - start : kernel) {}
};

}  // namespace cortado::CORTADO_ISA
