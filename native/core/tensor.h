#pragma once

#include <stdint.h>

/// Shared inline code must never leave an out-of-line copy behind: the linker could keep the one that was compiled with
/// AVX-512 and hand it to a machine without.
#define CORTADO_INLINE inline __attribute__((always_inline))

namespace cortado {

enum class DType : uint8_t { f32, i32, u8, i8, bf16, f16 };

constexpr int kMaxRank = 8;

/// A place in a memory, and its extents; owns nothing. An absent tensor (an output nobody reads, an optional input that
/// was not given) has no data.
struct Tensor {
  void* data = nullptr;
  int64_t dim[kMaxRank] = {};
  int rank = 0;
  DType dtype = DType::f32;
  /// Of images (n, c, h, w): whether their elements lie as (n, h, w, c).
  bool channels_last = false;

  CORTADO_INLINE explicit operator bool() const { return data != nullptr; }
  CORTADO_INLINE float* f32() const { return static_cast<float*>(data); }
  CORTADO_INLINE int32_t* i32() const { return static_cast<int32_t*>(data); }
  CORTADO_INLINE uint16_t* bf16() const { return static_cast<uint16_t*>(data); }
  CORTADO_INLINE int8_t* i8() const { return static_cast<int8_t*>(data); }
  CORTADO_INLINE uint8_t* u8() const { return static_cast<uint8_t*>(data); }

  /// Product of the extents [from, to).
  CORTADO_INLINE int64_t count(int from, int to) const {
    int64_t n = 1;
    for (int i = from; i < to; ++i) n *= dim[i];
    return n;
  }
  CORTADO_INLINE int64_t size() const { return count(0, rank); }

  /// The same memory with its axes in the order in which they lie there, and the place of one of ours among them.
  CORTADO_INLINE Tensor stored() const {
    Tensor lying = *this;
    lying.channels_last = false;
    for (int axis = 0; axis < rank; ++axis) lying.dim[stored_axis(axis)] = dim[axis];
    return lying;
  }
  CORTADO_INLINE int stored_axis(int axis) const {
    if (!channels_last || axis == 0) return axis;
    return axis == 1 ? 3 : axis - 1;
  }
};

}  // namespace cortado
