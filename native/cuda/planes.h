// Tensors with channels last, which tensor cores want: made from ours and turned back.
#pragma once

#include "launch.h"

namespace cortado::cuda {

/// A tensor with channels first (outer, inner, pixels), and its other form (outer, pixels, inner). For tensor cores,
/// which read 16 bytes at a time, every group of the outer and of the inner extents is filled up there with zeros to a
/// multiple of 8.
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

  /// Images, of which one may be filled up, or what else has its elements in one order alone.
  static Planes of(const Tensor& a, const Tensor& b) {
    if (a.rank != 4) return {Axis::of(1, 1, false), Axis::of(1, 1, false), a.size()};
    const bool less = a.dim[1] < b.dim[1];
    return {Axis::of(1, a.dim[0], false), {1, (less ? a : b).dim[1], (less ? b : a).dim[1]}, a.count(2, 4)};
  }
  /// Whether elements lie in the same order in both forms.
  bool either() const { return pixels == 1 || inner.groups * inner.count == 1; }
  /// Whether nothing is filled up.
  __host__ __device__ bool whole() const { return outer.padded == outer.count && inner.padded == inner.count; }
  static constexpr int kTile = 32, kRows = kBlock / kTile;
  int64_t inner_tiles() const { return (inner.size() + kTile - 1) / kTile; }
  int64_t pixel_tiles() const { return (pixels + kTile - 1) / kTile; }
  int64_t blocks() const { return outer.size() * inner_tiles() * pixel_tiles(); }
  /// Elements, with those that are filled up.
  int64_t filled() const { return outer.size() * inner.size() * pixels; }
  int64_t size() const { return outer.groups * outer.count * inner.groups * inner.count * pixels; }
};

}  // namespace cortado::cuda
