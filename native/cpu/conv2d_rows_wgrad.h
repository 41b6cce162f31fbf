// The gradient of few filters' taps, row by row of the features.
//
// conv2d_filter_gradient.h has filters in lanes and turns all features round for that, which costs a good part of the
// products where few taps use them. Here neighbouring pixels are in lanes, features and image are read where they lie,
// and each tap's sum is a vector whose lanes are added up at the very end. A plane's sum, the gradient of its bias, is
// made while the plane is in the first-level cache.
#pragma once

#include "conv2d_filter_gradient.h"
#include "conv2d_step.h"
#include "reduce_planes.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Filters and taps of a tile: their product is the sums that stay in registers.
constexpr int kTapFilters = 4, kTapWidth = kRegisters > 16 ? 5 : 3;
constexpr int64_t kTapAhead = 16;  // floats of a cache line

/// Some planes of the features against as many shifts of a row of the image: all that a tile of R filters and S taps
/// needs. A cache line for each row, from `ahead` on, is brought to the second-level cache meanwhile.
struct TapTile {
  const float *features, *source;  // first pixel of the first plane; its first tap
  const float* ahead;
  int64_t plane, source_width;  // distance of planes; of the image's rows
  int64_t height, width;        // of the features
  float* sums;                  // [filter][tap][lane]
  bool add;
};

template <int R, int S>
__attribute__((noinline)) void multiply_taps(const TapTile& tile) {
  Vf sum[R][S] = {};
  float* const to = tile.sums;
#pragma GCC unroll 20
  for (int i = 0; i < R * S; ++i) __builtin_prefetch(to + i * kLanes, 1);
  const float *row[R], *source = tile.source;
#pragma GCC unroll 4
  for (int i = 0; i < R; ++i) row[i] = tile.features + i * tile.plane;
  const int64_t width = tile.width, source_width = tile.source_width;
  const auto multiply = [&](int64_t at, int64_t x, const auto& read) __attribute__((always_inline)) {
    Vf left[R];
#pragma GCC unroll 4
    for (int i = 0; i < R; ++i) left[i] = read(row[i] + at + x);
#pragma GCC unroll 5
    for (int s = 0; s < S; ++s) {
      const Vf right = read(source + x + s);
#pragma GCC unroll 4
      for (int i = 0; i < R; ++i) sum[i][s] = fma(left[i], right, sum[i][s]);
    }
  };
  const float* ahead = tile.ahead;
  for (int64_t at = 0, end = tile.height * width; at < end; at += width, source += source_width, ahead += kTapAhead) {
    __builtin_prefetch(ahead, 0, 2);
    int64_t x = 0;
    for (; x + kLanes <= width; x += kLanes)
      multiply(at, x, [](const float* p) __attribute__((always_inline)) { return load(p); });
    if (x < width)
      multiply(at, x, [&](const float* p) __attribute__((always_inline)) { return load_part(p, width - x); });
  }
#pragma GCC unroll 4
  for (int i = 0; i < R; ++i) {
#pragma GCC unroll 5
    for (int s = 0; s < S; ++s) {
      float* place = to + (i * S + s) * kLanes;
      store(place, tile.add ? sum[i][s] + load(place) : sum[i][s]);
    }
  }
}

template <int R>
CORTADO_INLINE void multiply_taps(int64_t taps, const TapTile& tile) {
  if constexpr (kTapWidth > 3) {
    if (taps == 5) return multiply_taps<R, 5>(tile);
    if (taps == 4) return multiply_taps<R, 4>(tile);
  }
  if (taps == 3) return multiply_taps<R, 3>(tile);
  if (taps == 2) return multiply_taps<R, 2>(tile);
  multiply_taps<R, 1>(tile);
}

CORTADO_INLINE void multiply_taps(int64_t filters, int64_t taps, const TapTile& tile) {
  if (filters == 4) return multiply_taps<4>(taps, tile);
  if (filters == 3) return multiply_taps<3>(taps, tile);
  if (filters == 2) return multiply_taps<2>(taps, tile);
  multiply_taps<1>(taps, tile);
}

class RowFilterGradient {
 public:
  explicit RowFilterGradient(const Conv2dShape& shape)
      : shape_(shape),
        tiles_(divide_up(shape.filters, kTapFilters)),
        chunks_(divide_up(shape.width.taps, kTapWidth)),
        frame_height_(shape.height.features + shape.height.taps - 1),
        frame_width_(shape.width.features + shape.width.taps - 1) {}

  bool fits() const {
    const Extent &height = shape_.height, &width = shape_.width;
    return height.stride == 1 && width.stride == 1 && height.dilation == 1 && width.dilation == 1;
  }

  size_t scratch(int threads) const {
    Scratch scratch(nullptr);
    scratch.take<float>(units() * unit_sums());
    for (int i = 0; i < threads; ++i) Room(scratch, *this);
    return scratch.bytes();
  }

  /// image, features and filters as in Conv2dShape; bias (or nullptr) is the gradient of a bias per filter.
  void run(const Run& run, const float* image, const float* features, float* filters, float* bias) const {
    Scratch scratch(run.scratch);
    float* sums = scratch.take<float>(units() * unit_sums());
    on_every_thread(run.threads, [&](int thread, int threads) {
      Scratch own = scratch;
      for (int i = 0; i < thread; ++i) Room(own, *this);
      const Room room(own, *this);
      const Part part = part_of(units(), thread, threads);
      if (part.begin == part.end) return;
      memset(room.bias, 0, static_cast<size_t>(shape_.groups * shape_.filters) * sizeof(double));
      for (int64_t i = 0; i < shape_.images; ++i) add_image(image, features, sums, room, part, i);
      for (int64_t unit = part.begin; unit < part.end; ++unit) finish(sums, room, unit, filters, bias);
    });
  }

 private:
  /// A thread's own scratch.
  struct Room {
    float* frame;  // an image with zeros around it
    double* bias;  // sums of its planes
    Room(Scratch& scratch, const RowFilterGradient& f)
        : frame(scratch.take<float>(f.shape_.channels * f.frame())),
          bias(scratch.take<double>(f.shape_.groups * f.shape_.filters)) {}
  };

  /// What is shared out: one channel of a tile of filters of a group.
  struct Unit {
    int64_t group, filter, filters, channel;
  };
  int64_t units() const { return shape_.groups * tiles_ * shape_.channels; }
  int64_t unit_sums() const { return kTapFilters * shape_.taps() * kLanes; }
  Unit unit_of(int64_t index) const {
    const int64_t filter = index / shape_.channels % tiles_ * kTapFilters;
    return {index / (shape_.channels * tiles_), filter, smaller(kTapFilters, shape_.filters - filter),
            index % shape_.channels};
  }

  int64_t frame() const { return frame_height_ * frame_width_; }

  void add_image(const float* image, const float* features, float* sums, const Room& room, const Part& part,
                 int64_t index) const {
    int64_t open = -1;
    for (int64_t i = part.begin; i < part.end; ++i) {
      const Unit unit = unit_of(i);
      const int64_t group = index * shape_.groups + unit.group, plane = group * shape_.filters + unit.filter;
      if (open != unit.group) open_group(image, room, group);
      open = unit.group;
      const float* from = features + plane * shape_.pixels();
      add_unit(from, sums + i * unit_sums(), room, unit, index > 0, next_planes(features, part, index, unit));
      if (unit.channel > 0) continue;
      double* bias = room.bias + unit.group * shape_.filters + unit.filter;
      for (int64_t j = 0; j < unit.filters; ++j)
        bias[j] += static_cast<double>(sum_of(from + j * shape_.pixels(), shape_.pixels()));
    }
  }

  /// The features that the thread meets after those of a tile of filters.
  const float* next_planes(const float* features, const Part& part, int64_t index, const Unit& unit) const {
    const int64_t next = ((unit.group * tiles_ + unit.filter / kTapFilters) + 1) * shape_.channels;
    const bool last = next >= part.end;
    const Unit to = unit_of(last ? part.begin : next);
    const int64_t image = smaller(shape_.images - 1, index + last);
    return features + ((image * shape_.groups + to.group) * shape_.filters + to.filter) * shape_.pixels();
  }

  void open_group(const float* image, const Room& room, int64_t group) const {
    copy_framed(image + group * shape_.channels * shape_.height.image * shape_.width.image, shape_.channels,
                shape_.height.image, shape_.width.image, -shape_.height.pad, -shape_.width.pad, room.frame,
                frame_height_, frame_width_);
  }

  void add_unit(const float* features, float* sums, const Room& room, const Unit& unit, bool add,
                const float* next) const {
    const float* plane = room.frame + unit.channel * frame();
    int64_t turn = unit.channel * shape_.height.taps * chunks_;
    for (int64_t r = 0; r < shape_.height.taps; ++r) {
      for (int64_t chunk = 0; chunk < chunks_; ++chunk) {
        const Part taps = part_of(shape_.width.taps, chunk, chunks_);
        multiply_taps(unit.filters, taps.end - taps.begin,
                      {features, plane + r * frame_width_ + taps.begin,
                       next + turn++ * shape_.height.features * kTapAhead, shape_.pixels(), frame_width_,
                       shape_.height.features, shape_.width.features, place(sums, r, taps.begin), add});
      }
    }
  }

  float* place(float* sums, int64_t r, int64_t tap) const {
    return sums + (r * shape_.width.taps + tap) * kTapFilters * kLanes;
  }

  void finish(float* sums, const Room& room, int64_t index, float* filters, float* bias) const {
    const Unit unit = unit_of(index);
    float* own = sums + index * unit_sums();
    for (int64_t i = 0; i < unit.filters; ++i) {
      const int64_t filter = unit.group * shape_.filters + unit.filter + i;
      float* to = filters + (filter * shape_.channels + unit.channel) * shape_.taps();
      for (int64_t r = 0; r < shape_.height.taps; ++r) {
        for (int64_t chunk = 0; chunk < chunks_; ++chunk) {
          const Part taps = part_of(shape_.width.taps, chunk, chunks_);
          const int64_t count = taps.end - taps.begin;
          const float* from = place(own, r, taps.begin) + i * count * kLanes;
          for (int64_t s = 0; s < count; ++s) *to++ = sum(load(from + s * kLanes));
        }
      }
      if (bias != nullptr && unit.channel == 0) bias[filter] = static_cast<float>(room.bias[filter]);
    }
  }

  Conv2dShape shape_;
  int64_t tiles_, chunks_;  // of a group's filters; of a row of taps
  int64_t frame_height_, frame_width_;
};

using Conv2dRowsWgrad = FilterGradientStep<RowFilterGradient>;

}  // namespace
}  // namespace cortado::CORTADO_ISA
