// Windows of local response normalisation, and where their elements lie in either order of an image's elements.
#pragma once

#include "../kernels/lrn.h"
#include "index.h"
#include "packs.h"

namespace cortado::cuda {

/// s^-beta and 1 / s.
struct Scaled {
  float power, inverse;
};

/// Of what is no subnormal number, to the last digit or the one before it: one instruction of a GPU, a dozen to the
/// last digit.
__device__ inline float square_root(float x) {
#if defined(__CUDA_ARCH__)
  float root;
  asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(root) : "f"(x));
  return root;
#else
  return sqrtf(x);
#endif
}

__device__ inline Scaled scaled(float s, float beta) {
  if (beta == 0.75f) {
    const float root = rsqrtf(s);
    return {root * square_root(root), root * root};
  }
  if (beta == 0.5f) {
    const float root = rsqrtf(s);
    return {root, root * root};
  }
  return {beta == 1.0f ? 1.0f / s : powf(s, -beta), 1.0f / s};
}

/// Extents, and how far apart the channels of a pixel lie.
struct Across : LrnAcross {
  bool last;
  int64_t stride;

  Across(Prepare& step, const Tensor& x, DType dtype)
      : LrnAcross(step, x, dtype), last(x.channels_last), stride(last ? 1 : pixels) {}
};
/// Extents, and how far apart the pixels of a channel lie.
struct Within : LrnWithinChannel {
  int64_t stride;

  Within(Prepare& step, const Tensor& x, DType dtype)
      : LrnWithinChannel(step, x, dtype), stride(x.channels_last ? x.dim[1] : 1) {}
};

/// Windows across channels. s is never stored; backward computes it again.
template <class I>
struct AcrossChannels {
  using Index = I;
  Grid<I> grid;  // images or pixels, channels, what lies between them
  I half;
  float factor, k, beta;

  explicit AcrossChannels(const Across& e)
      : grid(e.channels, e.stride), half(static_cast<I>(e.half)), factor(e.factor), k(e.k), beta(e.beta) {}

  /// Sum of f(j) over the elements j of the window around element i.
  template <class F>
  __device__ float over(I i, const F& f) const {
    const I c = grid.cell(i).row, channels = grid.rows;
    const I first = c > half ? c - half : 0, last = c + half < channels ? c + half : channels - 1;
    float sum = 0;
    for (I j = first; j <= last; ++j) sum += f(i + (j - c) * grid.columns);
    return sum;
  }
};

/// Windows within each channel.
template <class I>
struct WithinChannel {
  using Index = I;
  Grid<I> grid;  // planes, rows, columns, channels beside each other
  I half;
  float factor, k, beta;

  explicit WithinChannel(const Within& e)
      : grid(e.h, e.w, e.stride), half(static_cast<I>(e.half)), factor(e.factor), k(1), beta(e.beta) {}

  template <class F>
  __device__ float over(I i, const F& f) const {
    const Cell<I> cell = grid.cell(i);
    const I row = cell.row, column = cell.column, h = grid.rows, w = grid.columns;
    const I top = row > half ? row - half : 0, bottom = row + half < h ? row + half : h - 1;
    const I left = column > half ? column - half : 0, right = column + half < w ? column + half : w - 1;
    float sum = 0;
    for (I r = top; r <= bottom; ++r) {
      for (I c = left; c <= right; ++c) sum += f(i + ((r - row) * w + (c - column)) * grid.channels);
    }
    return sum;
  }
};

/// Windows of five channels with beta 3/4, as AlexNet's and GoogLeNet's are.
struct Five {
  float factor, k, slope;

  explicit Five(const Across& e) : factor(e.factor), k(e.k), slope(-2 * e.factor * e.beta) {}
  /// Of the third of five channels.
  __device__ Scaled scale(const float* five) const {
    float sum = 0;
    CORTADO_UNROLL(5)
    for (int j = 0; j < 5; ++j) sum = fmaf(five[j], five[j], sum);
    return scaled(fmaf(factor, sum, k), 0.75f);
  }
};

/// A thread takes kRun channels of a pixel, of which it reads each once, and has nothing to write but the result. Where
/// channels are last it reads and writes whole lanes of them.
template <int kRun, bool kLast>
struct FiveChannels : Five {
  using I = int32_t;
  static constexpr int kEach = kRun;
  static_assert(!kLast || kEach == kLanes);
  Grid<I> grid;  // images or pixels, kEach channels, what lies between them
  I channels;

  explicit FiveChannels(const Across& e)
      : Five(e), grid(count(e.channels), e.stride), channels(static_cast<I>(e.channels)) {}
  static int64_t count(int64_t channels) { return (channels + kEach - 1) / kEach; }
  static int64_t threads(const Across& e) { return e.images * count(e.channels) * e.pixels; }

  /// A thread's first channel, and where it lies.
  struct Place {
    I channel, at;
  };
  __device__ Place place(I i) const {
    const Cell<I> cell = grid.cell(i);
    const I channel = cell.row * kEach;
    return {channel, (cell.plane * channels + channel) * grid.columns + cell.column};
  }
  __device__ bool has(const Place& place, int j) const {
    return place.channel + j >= 0 && place.channel + j < channels;
  }
  /// The channels from `before`, at most kLanes, before the first on; those that are not there read as 0.
  template <int kCount, class T>
  __device__ void load(const T* from, const Place& place, int before, float (&to)[kCount]) const {
    if constexpr (kLast) {
      CORTADO_UNROLL(32)
      for (int first = -kLanes; first <= kLanes; first += kLanes) {
        const bool there = has(place, first);
        const Lanes<kLanes> lanes = there ? load_lanes<kLanes>(from + (place.at + first)) : Lanes<kLanes>{};
        CORTADO_UNROLL(32)
        for (int j = 0; j < kLanes; ++j) {
          if (const int k = first + j + before; k >= 0 && k < kCount) to[k] = lanes.v[j];
        }
      }
    } else {
      CORTADO_UNROLL(32)
      for (int j = 0; j < kCount; ++j)
        to[j] = has(place, j - before) ? widen(from[place.at + (j - before) * grid.columns]) : 0.0f;
    }
  }
  template <class T>
  __device__ void store(T* to, const Place& place, const Lanes<kEach>& run) const {
    if constexpr (kLast) {
      store_lanes<kEach>(to + place.at, run);
    } else {
      CORTADO_UNROLL(32)
      for (int j = 0; j < kEach; ++j) {
        if (has(place, j)) to[place.at + j * grid.columns] = narrow<T>(run.v[j]);
      }
    }
  }
};

/// Channels of a thread where they are first. The gradient computes more than it writes: the longer its threads' runs,
/// the less of it.
constexpr int kForward = 8, kBackward = 16;

inline bool takes_five(const Across& e) {
  return e.half == 2 && e.beta == 0.75f && (!e.last || e.channels % kLanes == 0);
}
/// Whether FiveChannels does it: its index counts whole runs of channels.
inline bool takes_runs(const Across& e) {
  return takes_five(e) && countable(e.images * ((e.channels + kBackward) * e.pixels));
}
/// f(its windows), by where channels are.
template <int kRun, class F>
void with_runs(const Across& e, const F& f) {
  if (e.last) return f(FiveChannels<kLanes, true>(e));
  f(FiveChannels<kRun, false>(e));
}

}  // namespace cortado::cuda
