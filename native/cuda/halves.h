// Tensors of 16-bit numbers with channels last, which tensor cores want: made from ours and turned back.
#pragma once

#include "bias.h"
#include "launch.h"
#include "numbers.h"

namespace cortado::cuda {

/// A tensor of ours (outer, inner, pixels), and its other form (outer, pixels, inner), where every group of the outer
/// and of the inner extents is filled up with zeros to a multiple of 8: tensor cores read 16 bytes at a time.
struct Planes {
  struct Axis {
    int64_t groups, count, padded;  // of one group

    static Axis of(int64_t groups, int64_t count, bool pad) {
      return {groups, count, pad ? (count + 7) / 8 * 8 : count};
    }
    __host__ __device__ int64_t size() const { return groups * padded; }
    /// Our number of element i, or -1 in the filling.
    __device__ int64_t place(int64_t i) const {
      const int64_t within = i % padded;
      return within < count ? i / padded * count + within : -1;
    }
  };
  Axis outer, inner;
  int64_t pixels;

  static constexpr int kTile = 32, kRows = kBlock / kTile;
  int64_t inner_tiles() const { return (inner.size() + kTile - 1) / kTile; }
  int64_t pixel_tiles() const { return (pixels + kTile - 1) / kTile; }
  int64_t blocks() const { return outer.size() * inner_tiles() * pixel_tiles(); }
  size_t bytes() const { return static_cast<size_t>(outer.size() * inner.size() * pixels) * sizeof(uint16_t); }
  int64_t size() const { return outer.groups * outer.count * inner.groups * inner.count * pixels; }
};

/// A block's tile of a tensor: 32 of the inner extent by 32 pixels, through shared memory, so that both forms are read
/// and written along their rows.
struct PlaneTile {
  int64_t outer, inner, pixel;

  __device__ PlaneTile(const Planes& p, int64_t block) {
    const int64_t pixel_tiles = (p.pixels + Planes::kTile - 1) / Planes::kTile;
    const int64_t inner_tiles = (p.inner.size() + Planes::kTile - 1) / Planes::kTile;
    pixel = block % pixel_tiles * Planes::kTile;
    inner = block / pixel_tiles % inner_tiles * Planes::kTile;
    outer = block / (pixel_tiles * inner_tiles);
  }
};

/// Our numbers times `scale` (absent: 1) as halves.
template <class From, class To>
struct ToHalves {
  Planes p;
  const From* from;
  To* to;
  const float* scale;

  __device__ void operator()(int64_t block) const {
    __shared__ float tile[Planes::kTile][Planes::kTile + 1];
    const PlaneTile at(p, block);
    const int x = threadIdx.x % Planes::kTile, y = threadIdx.x / Planes::kTile;
    const float factor = scale ? *scale : 1.0f;
    const int64_t outer = p.outer.place(at.outer), planes = p.inner.groups * p.inner.count;
    for (int row = y; row < Planes::kTile; row += Planes::kRows) {
      const int64_t inner = at.inner + row < p.inner.size() ? p.inner.place(at.inner + row) : -1, pixel = at.pixel + x;
      const bool there = outer >= 0 && inner >= 0 && pixel < p.pixels;
      tile[row][x] = there ? factor * widen(from[(outer * planes + inner) * p.pixels + pixel]) : 0.0f;
    }
    __syncthreads();
    for (int row = y; row < Planes::kTile; row += Planes::kRows) {
      const int64_t inner = at.inner + x, pixel = at.pixel + row;
      if (inner >= p.inner.size() || pixel >= p.pixels) continue;
      to[(at.outer * p.pixels + pixel) * p.inner.size() + inner] = narrow<To>(tile[x][row]);
    }
  }
};

/// Halves times `scale` (absent: 1) as our numbers, with an epilogue by the inner extent.
template <class From, class To>
struct FromHalves {
  Planes p;
  const From* from;
  To* to;
  const float* scale;
  Epilogue epilogue;

  __device__ void operator()(int64_t block) const {
    __shared__ float tile[Planes::kTile][Planes::kTile + 1];
    const PlaneTile at(p, block);
    const int x = threadIdx.x % Planes::kTile, y = threadIdx.x / Planes::kTile;
    const float factor = scale ? *scale : 1.0f;
    for (int row = y; row < Planes::kTile; row += Planes::kRows) {
      const int64_t inner = at.inner + x, pixel = at.pixel + row;
      if (inner >= p.inner.size() || pixel >= p.pixels) continue;
      tile[row][x] = factor * widen(from[(at.outer * p.pixels + pixel) * p.inner.size() + inner]);
    }
    __syncthreads();
    const int64_t outer = p.outer.place(at.outer), planes = p.inner.groups * p.inner.count;
    for (int row = y; row < Planes::kTile; row += Planes::kRows) {
      const int64_t inner = at.inner + row < p.inner.size() ? p.inner.place(at.inner + row) : -1, pixel = at.pixel + x;
      if (outer < 0 || inner < 0 || pixel >= p.pixels) continue;
      to[(outer * planes + inner) * p.pixels + pixel] = narrow<To>(epilogue(inner, tile[x][row]));
    }
  }
};

}  // namespace cortado::cuda
