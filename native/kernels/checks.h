// What kernels of every device ask of the tensors that a step gives them.
#pragma once

#include "../core/kernel.h"

namespace cortado::CORTADO_ISA {

/// Whether a tensor is there, with n elements of that type.
CORTADO_INLINE bool holds(const Tensor& tensor, int64_t n, DType dtype = DType::f32) {
  return tensor && tensor.size() == n && tensor.dtype == dtype;
}
/// The same for a tensor that may be absent.
CORTADO_INLINE bool may_hold(const Tensor& tensor, int64_t n, DType dtype = DType::f32) {
  return !tensor || holds(tensor, n, dtype);
}

/// A tensor that the step must have.
CORTADO_INLINE Tensor required(Prepare& step, const Tensor& tensor, const char* what) {
  step.expect(static_cast<bool>(tensor), what);
  return tensor;
}

}  // namespace cortado::CORTADO_ISA
