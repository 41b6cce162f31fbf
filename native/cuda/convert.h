// Tensors brought from one type of number to another.
#pragma once

#include "packs.h"

namespace cortado::cuda {

/// Eight numbers of `from` as numbers of `to`.
template <class From, class To>
struct Converted {
  const From* from;
  To* to;
  int64_t n;

  static constexpr int64_t kEach = 8;
  __device__ void operator()(int64_t i) const {
    float v[kEach];
    each<From>([&](int at, int64_t q) {
      const Pack<From> pack = load_pack(from, i * (kEach / Pack<From>::kSize) + q, n);
      for (int j = 0; j < Pack<From>::kSize; ++j) v[at + j] = pack.v[j];
    });
    each<To>([&](int at, int64_t q) {
      Pack<To> pack;
      for (int j = 0; j < Pack<To>::kSize; ++j) pack.v[j] = v[at + j];
      store_pack(to, i * (kEach / Pack<To>::kSize) + q, n, pack);
    });
  }

 private:
  /// f(first of the eight, number of the pack) for every pack of them.
  template <class T, class F>
  __device__ static void each(const F& f) {
    for (int q = 0; q < kEach / Pack<T>::kSize; ++q) f(q * Pack<T>::kSize, q);
  }
};

/// Brings `from` to `to`: numbers of any two types, as many.
inline void convert(const Launch& launch, const Tensor& from, const Tensor& to) {
  const int64_t n = from.size();
  with_numbers(from.dtype, [&](auto a) {
    with_numbers(to.dtype, [&](auto b) {
      using Work = Converted<decltype(a), decltype(b)>;
      for_each(launch, (n + Work::kEach - 1) / Work::kEach,
               Work{numbers<decltype(a)>(from), numbers_to<decltype(b)>(to), n});
    });
  });
}

/// Three tensors of a product as float32: themselves, or copies in scratch memory from `at` on.
class Floats {
 public:
  Floats() = default;
  Floats(Prepare& step, const Tensor& a, const Tensor& b, const Tensor& c, size_t at) : tensor_{a, b, c} {
    for (int i = 0; i < 3; ++i) {
      at_[i] = at = (at + 255) / 256 * 256;
      if (copied(i)) at += static_cast<size_t>(tensor_[i].size()) * sizeof(float);
    }
    if (copied(0) || copied(1) || copied(2)) step.scratch(at);
  }

  /// Tensor i, to be written.
  float* place(const Launch& launch, int i) const { return as_floats(launch, i).f32(); }
  /// Tensor i, to be read.
  float* bring(const Launch& launch, int i) const {
    if (copied(i)) convert(launch, tensor_[i], as_floats(launch, i));
    return place(launch, i);
  }
  /// Tensor i has been written.
  void bring_back(const Launch& launch, int i) const {
    if (copied(i)) convert(launch, as_floats(launch, i), tensor_[i]);
  }

 private:
  bool copied(int i) const { return tensor_[i] && tensor_[i].dtype != DType::f32; }
  Tensor as_floats(const Launch& launch, int i) const {
    Tensor floats = tensor_[i];
    if (!copied(i)) return floats;
    floats.data = static_cast<uint8_t*>(launch.scratch) + at_[i];
    floats.dtype = DType::f32;
    return floats;
  }

  Tensor tensor_[3];
  size_t at_[3] = {};
};

}  // namespace cortado::cuda
