// Kernels that bring tensors to the form with channels last and turn them back.
#pragma once

#include "bias.h"
#include "index.h"
#include "packs.h"
#include "planes.h"

namespace cortado::cuda {

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

/// Numbers with channels first times `scale` (absent: 1), with channels last.
template <class From, class To>
struct ToLast {
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

/// The same where the channels of a pixel are one access: they are a thread's, whose neighbours read beside it.
template <class From, class To>
struct PixelToLast {
  using I = int32_t;
  Planes p;
  Divisor<I> by_pixels;
  const From* from;
  To* to;
  const float* scale;

  __device__ void operator()(I i) const {
    const I filled = by_pixels(i);
    const int64_t outer = p.outer.place(filled), planes = p.inner.groups * p.inner.count;
    const int64_t pixel = i - int64_t{filled} * p.pixels;
    const float factor = scale ? *scale : 1.0f;
    Lanes<kLanes> lanes;
    for (int j = 0; j < kLanes; ++j) {
      const int64_t inner = outer < 0 ? -1 : p.inner.place(j);
      lanes.v[j] = inner < 0 ? 0.0f : factor * widen(from[(outer * planes + inner) * p.pixels + pixel]);
    }
    store_lanes<kLanes>(to + int64_t{i} * kLanes, lanes);
  }
};

/// Numbers with channels last times `scale` (absent: 1), with channels first and an epilogue by the inner extent.
template <class From, class To>
struct FromLast {
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

/// Channels last in both forms, of which the second is filled up: numbers times `scale` (absent: 1).
template <class From, class To>
struct FillUp {
  Planes p;
  const From* from;
  To* to;
  const float* scale;

  __device__ void operator()(int64_t i) const {
    const int64_t row = i / p.inner.size(), outer = p.outer.place(row / p.pixels),
                  inner = p.inner.place(i % p.inner.size());
    const int64_t at = (outer * p.pixels + row % p.pixels) * p.inner.groups * p.inner.count + inner;
    to[i] = narrow<To>(outer < 0 || inner < 0 ? 0.0f : (scale ? *scale : 1.0f) * widen(from[at]));
  }
};

/// The way back, with an epilogue by the inner extent; `to` may be `from` where nothing is filled up.
template <class From, class To>
struct CutDown {
  Planes p;
  const From* from;
  To* to;
  const float* scale;
  Epilogue epilogue;

  template <int N>
  __device__ void at(int64_t i) const {
    const int64_t row = i * N / p.inner.size(), outer = p.outer.place(row / p.pixels), first = i * N % p.inner.size();
    const int64_t begin = (outer * p.pixels + row % p.pixels) * p.inner.groups * p.inner.count;
    const float factor = scale ? *scale : 1.0f;
    Lanes<N> lanes = load_lanes<N>(from + i * N);
    const int64_t inner = p.inner.place(first);
    if (outer < 0 || inner < 0) return;
    for (int j = 0; j < N; ++j) lanes.v[j] = epilogue(inner + j, factor * lanes.v[j]);
    store_lanes<N>(to + begin + inner, lanes);
  }
};

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

}  // namespace cortado::cuda
