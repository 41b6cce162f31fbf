// Four floats at a time: one access of 16 bytes where all four are there. Tensors begin at multiples of 16 bytes.
#pragma once

#include "launch.h"

namespace cortado::cuda {

struct Quad {
  float v[4];
};

inline int64_t quads_of(int64_t n) { return (n + 3) / 4; }

/// Elements 4 q to 4 q + 3 of n; those beyond the end read as 0.
__device__ inline Quad load_quad(const float* p, int64_t q, int64_t n) {
  if (4 * q + 4 <= n) {
    const float4 v = reinterpret_cast<const float4*>(p)[q];
    return {{v.x, v.y, v.z, v.w}};
  }
  Quad quad{};
  for (int64_t i = 4 * q; i < n; ++i) quad.v[i - 4 * q] = p[i];
  return quad;
}

__device__ inline void store_quad(float* p, int64_t q, int64_t n, const Quad& quad) {
  if (4 * q + 4 <= n) {
    reinterpret_cast<float4*>(p)[q] = make_float4(quad.v[0], quad.v[1], quad.v[2], quad.v[3]);
    return;
  }
  for (int64_t i = 4 * q; i < n; ++i) p[i] = quad.v[i - 4 * q];
}

}  // namespace cortado::cuda
