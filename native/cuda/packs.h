// Sixteen bytes of numbers at a time: one access where all of them are there. Tensors begin at multiples of 16 bytes.
#pragma once

#include "launch.h"
#include "numbers.h"

namespace cortado::cuda {

/// Four floats, or eight numbers of 16 bits, widened.
template <class T>
struct Pack {
  static constexpr int kSize = 16 / sizeof(T);
  float v[kSize];
};

template <class T>
int64_t packs_of(int64_t n) {
  return (n + Pack<T>::kSize - 1) / Pack<T>::kSize;
}

namespace detail {

template <class T>
struct alignas(16) Raw {
  T v[Pack<T>::kSize];
};

}  // namespace detail

/// Elements of pack q of n; those beyond the end read as 0. Loops have a fixed length, so that a pack is in registers.
template <class T>
__device__ Pack<T> load_pack(const T* p, int64_t q, int64_t n) {
  constexpr int kSize = Pack<T>::kSize;
  Pack<T> pack;
  if (kSize * q + kSize <= n) {
    const detail::Raw<T> raw = reinterpret_cast<const detail::Raw<T>*>(p)[q];
    for (int j = 0; j < kSize; ++j) pack.v[j] = widen(raw.v[j]);
  } else {
    for (int j = 0; j < kSize; ++j) pack.v[j] = kSize * q + j < n ? widen(p[kSize * q + j]) : 0.0f;
  }
  return pack;
}

template <class T>
__device__ void store_pack(T* p, int64_t q, int64_t n, const Pack<T>& pack) {
  constexpr int kSize = Pack<T>::kSize;
  if (kSize * q + kSize <= n) {
    detail::Raw<T> raw;
    for (int j = 0; j < kSize; ++j) raw.v[j] = narrow<T>(pack.v[j]);
    reinterpret_cast<detail::Raw<T>*>(p)[q] = raw;
  } else {
    for (int j = 0; j < kSize; ++j) {
      if (kSize * q + j < n) p[kSize * q + j] = narrow<T>(pack.v[j]);
    }
  }
}

}  // namespace cortado::cuda
