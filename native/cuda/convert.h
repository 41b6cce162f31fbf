// Tensors brought from one type of number, and from one order of their elements, to another. Types are told apart here
// alone: every pair of them, in every order, is a kernel.
#pragma once

#include "bias.h"
#include "launch.h"
#include "planes.h"

namespace cortado::cuda {

/// Brings `from` to `to`: numbers of any two types, images from one order of their elements to the other, and to more
/// channels or fewer.
void convert(const Launch& launch, const Tensor& from, const Tensor& to);

/// n numbers, which are whole lanes, as those of another type.
void convert(const Launch& launch, int64_t n, const float* from, void* to, DType type);

/// A tensor times `scale` (absent: 1) with channels last, as numbers of `type`.
void to_last(const Launch& launch, const Planes& p, const Tensor& from, void* to, DType type, const float* scale);

/// Numbers of `type` with channels last, times `scale` (absent: 1), as a tensor, with an epilogue by the inner extent.
void from_last(const Launch& launch, const Planes& p, const void* from, DType type, const Tensor& to,
               const float* scale, const Epilogue& epilogue);

/// Three tensors of a product in the types that it takes, with channels first: themselves, or copies in scratch memory
/// from `at` on.
class Brought {
 public:
  Brought() = default;
  Brought(Prepare& step, const Tensor& a, const Tensor& b, const Tensor& c, size_t at, DType a_type = DType::f32,
          DType b_type = DType::f32, DType c_type = DType::f32)
      : tensor_{a, b, c}, type_{a_type, b_type, c_type} {
    for (int i = 0; i < 3; ++i) {
      at_[i] = at = (at + 255) / 256 * 256;
      if (copied(i)) at += static_cast<size_t>(tensor_[i].size()) * (type_[i] == DType::f32 ? 4 : 2);
    }
    if (copied(0) || copied(1) || copied(2)) step.scratch(at);
  }

  /// Tensor i, to be written.
  void* place(const Launch& launch, int i) const { return brought(launch, i).data; }
  /// Tensor i, to be read.
  void* bring(const Launch& launch, int i) const {
    if (copied(i)) convert(launch, tensor_[i], brought(launch, i));
    return place(launch, i);
  }
  /// Tensor i has been written.
  void bring_back(const Launch& launch, int i) const {
    if (copied(i)) convert(launch, brought(launch, i), tensor_[i]);
  }

 private:
  bool copied(int i) const { return tensor_[i] && (tensor_[i].dtype != type_[i] || tensor_[i].channels_last); }
  Tensor brought(const Launch& launch, int i) const {
    Tensor tensor = tensor_[i];
    if (!copied(i)) return tensor;
    tensor.data = static_cast<uint8_t*>(launch.scratch) + at_[i];
    tensor.dtype = type_[i];
    tensor.channels_last = false;
    return tensor;
  }

  Tensor tensor_[3];
  DType type_[3] = {};
  size_t at_[3] = {};
};

}  // namespace cortado::cuda
