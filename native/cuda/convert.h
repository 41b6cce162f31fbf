// Tensors brought from one type of number, and from one order of their elements, to another.
#pragma once

#include "halves.h"
#include "layouts.h"
#include "small_images.h"

namespace cortado::cuda {

/// Numbers of `from` times `scale` (absent: 1) as numbers of `to`.
template <class From, class To>
struct Converted {
  const From* from;
  To* to;
  const float* scale = nullptr;

  template <int N>
  __device__ void at(int64_t i) const {
    Lanes<N> lanes = load_lanes<N>(from + i * N);
    if (scale) {
      for (int j = 0; j < N; ++j) lanes.v[j] *= *scale;
    }
    store_lanes<N>(to + i * N, lanes);
  }
};

/// Numbers with channels first times `scale` (absent: 1) to those with channels last.
template <class From, class To>
void to_last(const Launch& launch, const Planes& p, const From* from, To* to, const float* scale = nullptr) {
  if (p.inner.size() != kLanes) return for_blocks(launch, p.blocks(), ToLast<From, To>{p, from, to, scale});
  const int64_t n = p.outer.size() * p.pixels;
  with_index(n, [&](auto index) {
    using I = decltype(index);
    for_each<I>(launch, n, PixelToLast<From, To, I>{p, Divisor<I>(p.pixels), from, to, scale});
  });
}

/// Brings `from` to `to`: numbers of any two types, images from one order of their elements to the other, and to more
/// channels or fewer.
inline void convert(const Launch& launch, const Tensor& from, const Tensor& to) {
  const int64_t n = from.size();
  with_numbers(from.dtype, [&](auto a) {
    with_numbers(to.dtype, [&](auto b) {
      using A = decltype(a);
      using B = decltype(b);
      const A* const source = numbers<A>(from);
      B* const target = numbers_to<B>(to);
      const Planes p = Planes::of(from, to);
      if (p.whole() && (p.either() || from.channels_last == to.channels_last)) {
        for_lanes(launch, n, n % kLanes == 0, Converted<A, B>{source, target});
      } else if (p.whole() && SmallImages::takes(p.inner.count, p.pixels)) {
        const SmallImages images(p.inner.count, p.pixels);
        for_blocks(launch, p.outer.count * images.parts(),
                   TurnSmallImages<A, B>{images, source, target, to.channels_last});
      } else if (!from.channels_last) {
        to_last(launch, p, source, target);
      } else if (!to.channels_last) {
        for_blocks(launch, p.blocks(), FromLast<A, B>{p, source, target, nullptr, {}});
      } else if (from.dim[1] < to.dim[1]) {
        for_each(launch, p.filled(), FillUp<A, B>{p, source, target, nullptr});
      } else {
        for_lanes(launch, p.filled(), false, CutDown<A, B>{p, source, target, nullptr, {}});
      }
    });
  });
}

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
