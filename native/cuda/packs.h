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

/// N numbers of a row, widened: one, or so many that a row's are whole accesses.
template <int N>
struct Lanes {
  float v[N];
};
/// So many lie side by side in a kernel that takes them together.
constexpr int kLanes = 8;

/// The N numbers from p on, which is N numbers from the beginning of a tensor, or some times that.
template <int N, class T>
__device__ Lanes<N> load_lanes(const T* p) {
  Lanes<N> lanes;
  if constexpr (N == 1) {
    lanes.v[0] = widen(*p);
  } else {
    constexpr int kSize = Pack<T>::kSize;
    for (int q = 0; q < N / kSize; ++q) {
      const detail::Raw<T> raw = reinterpret_cast<const detail::Raw<T>*>(p)[q];
      for (int j = 0; j < kSize; ++j) lanes.v[q * kSize + j] = widen(raw.v[j]);
    }
  }
  return lanes;
}

template <int N, class T>
__device__ void store_lanes(T* p, const Lanes<N>& lanes) {
  if constexpr (N == 1) {
    *p = narrow<T>(lanes.v[0]);
  } else {
    constexpr int kSize = Pack<T>::kSize;
    for (int q = 0; q < N / kSize; ++q) {
      detail::Raw<T> raw;
      for (int j = 0; j < kSize; ++j) raw.v[j] = narrow<T>(lanes.v[q * kSize + j]);
      reinterpret_cast<detail::Raw<T>*>(p)[q] = raw;
    }
  }
}

/// N numbers as they are stored, for loads that are to be on their way together: two of 16 bits in a register.
template <class T, int N = kLanes>
struct alignas(16) Packed {
  uint32_t word[N * sizeof(T) / sizeof(uint32_t)];

  __device__ float operator[](int j) const {
    if constexpr (sizeof(T) == sizeof(uint32_t)) {
      return float_of(word[j]);
    } else {
      return widen(T{static_cast<uint16_t>(word[j / 2] >> j % 2 * 16)});
    }
  }
};
template <class T>
struct Packed<T, 1> {
  T one;
  __device__ float operator[](int) const { return widen(one); }
};
template <int N = kLanes, class T>
__device__ const Packed<T, N>& packed(const T* p) {
  return *reinterpret_cast<const Packed<T, N>*>(p);
}

/// Work k by N numbers at a time, where rows have whole lanes; by single ones otherwise: k.at<N>(i) for the N from
/// i * N on.
template <int N, class K>
struct ByLanes {
  K k;
  __device__ void operator()(int64_t i) const { k.template at<N>(i); }
};
template <class K>
void for_lanes(const Launch& launch, int64_t n, bool whole, const K& k) {
  if (whole) return for_each(launch, n / kLanes, ByLanes<kLanes, K>{k});
  for_each(launch, n, ByLanes<1, K>{k});
}

}  // namespace cortado::cuda
