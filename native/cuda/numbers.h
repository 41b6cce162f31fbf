// Numbers as tensors hold them: float, bfloat16 or float16. Arithmetic is in float32; numbers are widened on their way
// from memory and rounded on their way to it.
#pragma once

#include <cuda_runtime.h>

#include "../kernels/checks.h"
#include "../kernels/halves.h"

namespace cortado::cuda {

/// A bfloat16: float32's range, eight binary digits.
struct Brain {
  uint16_t bits;
};
/// A float16: eleven binary digits, from 6e-5 (in full) to 65504.
struct Half {
  uint16_t bits;
};

template <class T>
constexpr DType kType = DType::f32;
template <>
constexpr DType kType<Brain> = DType::bf16;
template <>
constexpr DType kType<Half> = DType::f16;

__device__ inline float widen(float x) { return x; }
__device__ inline float widen(Brain x) { return from_bfloat16(x.bits); }
__device__ inline float widen(Half x) { return from_float16(x.bits); }

template <class T>
__device__ inline T narrow(float x) {
  if constexpr (kType<T> == DType::bf16) {
    return {to_bfloat16(x)};
  } else if constexpr (kType<T> == DType::f16) {
    return {to_float16(x)};
  } else {
    return x;
  }
}

/// A gradient on its way back through a ReLU that made `y`.
__device__ inline float rectified(float d, float y) { return y > 0.0f ? d : 0.0f; }

inline bool is_number(DType type) { return type == DType::f32 || type == DType::bf16 || type == DType::f16; }
/// The type of a tensor that may hold any numbers: for checks that name one.
inline DType number_type(const Tensor& tensor) { return is_number(tensor.dtype) ? tensor.dtype : DType::f32; }
/// Whether a tensor is there, with n numbers of any type.
inline bool holds_numbers(const Tensor& tensor, int64_t n) {
  return is_number(tensor.dtype) && holds(tensor, n, tensor.dtype);
}

template <class T>
const T* numbers(const Tensor& tensor) {
  return static_cast<const T*>(tensor.data);
}
template <class T>
T* numbers_to(const Tensor& tensor) {
  return static_cast<T*>(tensor.data);
}

/// f(T()) for the type of a tensor's numbers.
template <class F>
decltype(auto) with_numbers(DType type, const F& f) {
  switch (type) {
    case DType::bf16:
      return f(Brain());
    case DType::f16:
      return f(Half());
    default:
      return f(float());
  }
}
/// f(From(), To()) for any two types.
template <class F>
void with_both(DType from, DType to, const F& f) {
  with_numbers(from, [&](auto a) { with_numbers(to, [&](auto b) { f(a, b); }); });
}

}  // namespace cortado::cuda
