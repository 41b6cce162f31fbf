// Planes with their channels in lanes: a vector for each pixel, with zeros around them, as convolutions of single
// channels read it.
#pragma once

#include "conv2d_axis.h"
#include "gemm_grid.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Calls the lines of kLanes neighbours in each of some planes to the second-level cache: `first` counts neighbours,
/// and of those that share a line the first ones call it.
CORTADO_INLINE void call_planes(const float* planes, int64_t stride, int64_t lanes, int64_t first) {
  constexpr int64_t kLine = 16;
  if (first % kLine >= kLanes) return;
  for (int64_t i = 0; i < lanes; ++i) __builtin_prefetch(planes + i * stride + first, 0, 2);
}

/// Numbers of at most kLanes planes, `stride` apart, to a vector for each pixel, at `to` + place(pixel); lanes without
/// a plane are 0. The last square of pixels begins early rather than to be narrow. What lies `ahead` numbers on, unless
/// that is 0, is called meanwhile: eight streams at a time are more than a processor foresees.
template <class Place>
CORTADO_INLINE void planes_to_lanes(const float* planes, int64_t stride, int64_t lanes, int64_t pixels, float* to,
                                    const Place& place, int64_t ahead = 0) {
  for (int64_t square = 0; square < pixels; square += kLanes) {
    const int64_t first = larger(0, smaller(square, pixels - kLanes)), count = smaller(kLanes, pixels);
    const float* from = planes + first;
    if (ahead != 0) call_planes(planes + ahead, stride, lanes, square);
    Vf v[kLanes];
    if (lanes == kLanes && count == kLanes) {
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i, from += stride) v[i] = load(from);
    } else {
      for (int64_t i = 0; i < kLanes; ++i, from += stride) v[i] = i < lanes ? load_part(from, count) : zero();
    }
    transpose(v);
    if (count == kLanes) {
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) store(to + place(first + i), v[i]);
    } else {
      for (int64_t i = 0; i < count; ++i) store(to + place(i), v[i]);
    }
  }
}

/// How far on lies what a thread reads or writes after the rows of a band, `step` rows of the planes for each of its
/// own: the next band of `rows`, or the first one of the next kLanes planes.
CORTADO_INLINE int64_t ahead_of(const Part& band, int64_t rows, int64_t step, int64_t width, int64_t plane) {
  const int64_t row = step * width;
  return band.end < rows ? (band.end - band.begin) * row : kLanes * plane - band.begin * row;
}

/// Some rows of kLanes planes at a time, with the zeros around them that the taps of a correlation meet.
class LaneFrame {
 public:
  /// Of what as many rows of a phase's grid read.
  LaneFrame(const CorrelationAxis& height, const CorrelationAxis& width, int64_t rows)
      : height_(height),
        width_(width),
        top_(height.frame_begin()),
        left_(width.frame_begin()),
        pitch_(larger(width.frame_size(), width.source() - left_)),
        rows_((rows - 1) * height.step() + height.reach()),
        banded_(rows < height.grid(0)) {}

  /// Rows of a grid whose frame has `numbers` at most, but one at least.
  static int64_t rows_in(int64_t numbers, const CorrelationAxis& height, const CorrelationAxis& width) {
    const LaneFrame one(height, width, 1);
    const int64_t rows = numbers / (one.pitch_ * kLanes);
    return smaller(height.grid(0), 1 + larger(0, rows - one.rows_) / height.step());
  }

  int64_t size() const { return rows_ * pitch_ * kLanes; }
  /// Entries of the table of places.
  int64_t places() const { return smaller(rows_, height_.source()) * width_.source(); }

  /// Where the pixel at (y, x) of a grid begins to read.
  int64_t at(int64_t y, int64_t x) const { return (y * height_.step() * pitch_ + x * width_.step()) * kLanes; }
  /// Where an output of a phase at (0, 0) meets a tap. There is one channel to a lane.
  int64_t distance(int64_t phase_y, int64_t phase_x, int64_t r, int64_t s) const {
    return ((height_.shift(phase_y, r) - top_) * pitch_ + width_.shift(phase_x, s) - left_) * kLanes;
  }
  int64_t channel() const { return 0; }

  /// Before the first use of a frame, and of a table of where pixels of neighbouring rows lie.
  void begin(float* frame, int64_t* places) const {
    clear_rows(frame, 0, rows_);
    for (int64_t i = 0; i < this->places(); ++i)
      places[i] = (i / width_.source() * pitch_ + i % width_.source()) * kLanes;
  }

  /// What a band of the grids sees of `lanes` planes; what the next one will see is called.
  void open(const float* planes, int64_t lanes, const Part& band, const int64_t* places, float* frame) const {
    const int64_t top = top_ + band.begin * height_.step(), width = width_.source(), plane = height_.source() * width;
    const int64_t begin = smaller(rows_, larger(0, -top)), end = larger(begin, smaller(rows_, height_.source() - top));
    // Left and right of the rows it stays 0, and where one band is all, above and below them.
    if (banded_) {
      clear_rows(frame, 0, begin);
      clear_rows(frame, end, rows_);
    }
    planes_to_lanes(
        planes + (top + begin) * width, plane, lanes, (end - begin) * width, frame + (begin * pitch_ - left_) * kLanes,
        [&](int64_t pixel) __attribute__((always_inline)) { return places[pixel]; },
        ahead_of(band, height_.grid(0), height_.step(), width, plane));
  }

 private:
  void clear_rows(float* frame, int64_t from, int64_t to) const {
    const int64_t row = pitch_ * kLanes;
    for (int64_t i = from * row; i < to * row; i += kLanes) store(frame + i, zero());
  }

  CorrelationAxis height_, width_;
  int64_t top_, left_, pitch_, rows_;
  bool banded_;  // several bands take turns in it
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
