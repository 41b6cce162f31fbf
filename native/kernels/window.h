// Geometry of pooling windows: Caffe's pooling_layer.cpp.
#pragma once

#include "checks.h"
#include "formula.h"

namespace cortado::CORTADO_ISA {

/// Extents of a pooling step, as its kernels on every device read them. x is (planes, h, w), y is (planes, oh, ow).
struct PoolShape {
  int64_t planes, h, w, oh, ow, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w;

  /// Max pooling. In: x. Out: y, mask, code; any may be absent.
  static CORTADO_INLINE PoolShape of_max(Prepare& step, DType dtype = DType::f32) {
    const Tensor y = step.out(0), mask = step.out(1), code = step.out(2);
    const PoolShape shape(step, step.in(0), y ? y : mask ? mask : code, dtype);
    const int64_t outputs = shape.outputs();
    const bool bytes = code.dtype == DType::u8 && shape.kernel_h * shape.kernel_w <= 256;
    step.expect(may_hold(y, outputs, dtype) && may_hold(mask, outputs), "a maximum for every window");
    step.expect(may_hold(code, outputs, bytes ? DType::u8 : DType::i32), "a code for every window");
    return shape;
  }
  /// Average pooling. In: x. Out: y.
  static CORTADO_INLINE PoolShape of_average(Prepare& step, DType dtype = DType::f32) {
    const PoolShape shape(step, step.in(0), step.out(0), dtype);
    step.expect(holds(step.out(0), shape.outputs(), dtype), "a mean for every window");
    return shape;
  }
  /// The gradient of either. In: dy. Out: dx.
  static CORTADO_INLINE PoolShape of_gradient(Prepare& step, DType dtype = DType::f32) {
    const PoolShape shape(step, step.out(0), step.in(0), dtype);
    step.expect(step.out(0) && holds(step.in(0), shape.outputs(), dtype), "images and the gradient of their windows");
    return shape;
  }
  /// The gradient of max pooling, which also has codes as input 1.
  static CORTADO_INLINE PoolShape of_max_gradient(Prepare& step, DType dtype = DType::f32) {
    const PoolShape shape = of_gradient(step, dtype);
    const Tensor code = step.in(1);
    step.expect(holds(code, shape.outputs(), code.dtype) && code.dtype != DType::f32, "a code for every window");
    return shape;
  }

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

  CORTADO_FORMULA int64_t inputs() const { return planes * h * w; }
  CORTADO_FORMULA int64_t outputs() const { return planes * oh * ow; }
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
template <class I>
struct WindowSpanOf {
  I start, first, last, extent;

  CORTADO_FORMULA WindowSpanOf(I output, I size, I kernel, I stride, I pad)
      : start(output * stride - pad),
        first(start < 0 ? -start : 0),
        last(start + kernel > size ? size - start : kernel),
        extent(start + kernel > size + pad ? size + pad - start : kernel) {}
};
using WindowSpan = WindowSpanOf<int64_t>;

}  // namespace cortado::CORTADO_ISA
