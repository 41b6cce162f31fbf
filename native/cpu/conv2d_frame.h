// A band of images with zeros around it, as convolutions with pixels in lanes read it.
//
// With a stride, the pixels of each phase (those whose coordinates leave the same rest) lie side by side, so that a tap
// is one fixed distance from all pixels of the output, and neighbours of the output read neighbours of the frame.
// Positions are counted through the rows, the gaps between them included: a run of them fills vectors at any width.
#pragma once

#include "conv2d_axis.h"
#include "gemm_grid.h"

namespace cortado::CORTADO_ISA {
namespace {

/// At least so many zeros.
CORTADO_INLINE void clear(float* to, int64_t count) {
  if (count <= 0) return;
  store(to, zero());  // mostly all; a loop alone becomes a call of memset
  for (int64_t i = kLanes; i < count; i += kLanes) store(to + i, zero());
}

/// `count` numbers from their row of an image: neighbours, every second or every `step`-th. Vectors are written whole.
template <int kStep>
CORTADO_INLINE void gather_row(const float* from, int64_t step, int64_t count, float* to) {
  int64_t i = 0;
  if constexpr (kStep == 1) {
    for (; i + kLanes <= count; i += kLanes) store(to + i, load(from + i));
    if (i < count) store(to + i, load_part(from + i, count - i));
  } else if constexpr (kStep == 2) {
    for (; i + kLanes < count; i += kLanes) {
      const float* two = from + 2 * i;
      store(to + i, every_second<0>(load(two), load(two + kLanes), AllLanes{}));
    }
    // What follows the last number may lie outside of the image.
    const int64_t rest = 2 * (count - i) - 1;
    if (rest > 0) {
      const float* two = from + 2 * i;
      const Vf first = load_part(two, smaller(kLanes, rest)),
               second = load_part(two + kLanes, larger(0, rest - kLanes));
      store(to + i, every_second<0>(first, second, AllLanes{}));
    }
  } else {
    for (; i < count; ++i) to[i] = from[i * step];
  }
}

/// Rows of so many numbers to rows `pitch` apart, zeros up to `pitch` after each, and beyond: in the order of memory.
/// With a step, the same rows `ahead` numbers on are called to the second-level cache, unless that is 0.
template <int kStep>
inline void spread_rows(const float* from, int64_t stride, int64_t step, int64_t rows, int64_t count, float* to,
                        int64_t pitch, int64_t ahead = 0) {
  constexpr int64_t kLine = 16;
  const int64_t filled = kStep > 2 ? count : round_up(count, kLanes), called = ahead == 0 ? 0 : count * step;
  for (int64_t y = 0; y < rows; ++y, from += stride, to += pitch) {
    if constexpr (kStep > 1) {
      for (int64_t i = 0; i < called; i += kLine) __builtin_prefetch(from + ahead + i, 0, 2);
    }
    gather_row<kStep>(from, step, count, to);
    if (filled < pitch || kStep > 2) clear(to + filled, pitch - filled);
  }
}

class Frame {
 public:
  /// Of as many rows of a phase's grid at once.
  Frame(const CorrelationAxis& height, const CorrelationAxis& width, int64_t rows)
      : height_(height),
        width_(width),
        top_(height.frame_begin()),
        left_(width.frame_begin()),
        pitch_(divide_up((width.grid(0) - 1) * width.step() + width.reach(), width.step())),
        plane_(divide_up((rows - 1) * height.step() + height.reach(), height.step()) * pitch_) {}

  /// Distance of the rows; numbers of a channel.
  int64_t pitch() const { return pitch_; }
  int64_t channel() const { return plane_ * height_.step() * width_.step(); }
  /// Numbers of so many channels and of what may be read or written behind them: the rest of a row, and vectors.
  int64_t size(int64_t channels) const { return channels * channel() + pitch_ + kSlack; }

  /// Positions from the first to the last pixel of so many rows.
  int64_t run(int64_t rows, int64_t columns) const { return (rows - 1) * pitch_ + columns; }

  /// Where the output of a phase at position 0 meets a tap.
  int64_t distance(int64_t phase_y, int64_t phase_x, int64_t r, int64_t s) const {
    const int64_t y = height_.shift(phase_y, r) - top_, x = width_.shift(phase_x, s) - left_;
    const int64_t phase = y % height_.step() * width_.step() + x % width_.step();
    return phase * plane_ + y / height_.step() * pitch_ + x / width_.step();
  }

  /// What the rows of the grids from `first` on see of an image's channels.
  void open(const float* image, int64_t channels, int64_t first, float* to) const {
    const int64_t top = top_ + first * height_.step();
    for (int64_t c = 0; c < channels; ++c, image += height_.source() * width_.source()) {
      // In the order of the frame's memory: each row may be written beyond its end.
      for (int64_t y = 0; y < height_.step(); ++y) {
        for (int64_t x = 0; x < width_.step(); ++x, to += plane_) open_phase(image, top + y, left_ + x, x == 0, to);
      }
    }
    clear(to, kSlack);
  }

 private:
  static constexpr int64_t kSlack = 2 * kLanes;

  /// If `call` and where rows are left out, which a processor does not foresee, the next channel is on its way
  /// meanwhile: one phase of columns calls them all.
  void open_phase(const float* image, int64_t top, int64_t begin, bool call, float* to) const {
    const Part y = existing(top, height_, plane_ / pitch_), x = existing(begin, width_, pitch_);
    if (y.begin == y.end || x.begin == x.end) return clear(to, plane_);
    clear(to, y.begin * pitch_ + x.begin);
    const int64_t step = width_.step(), stride = height_.step() * width_.source();
    const float* from = image + (top + y.begin * height_.step()) * width_.source() + begin + x.begin * step;
    const auto spread = step == 1 ? spread_rows<1> : step == 2 ? spread_rows<2> : spread_rows<3>;
    spread(from, stride, step, y.end - y.begin, x.end - x.begin, to + y.begin * pitch_ + x.begin, pitch_,
           call && height_.step() > 1 ? height_.source() * width_.source() : 0);
    clear(to + y.end * pitch_ + x.begin, (plane_ / pitch_ - y.end) * pitch_ - x.begin);
  }

  /// Which of `count` coordinates, a step apart from `begin` on, the image has.
  static Part existing(int64_t begin, const CorrelationAxis& axis, int64_t count) {
    const int64_t step = axis.step();
    const auto before = [&](int64_t end) { return step == 1 ? end : divide_up(end, step); };
    const int64_t first = smaller(count, before(larger(0, -begin)));
    return {first, larger(first, smaller(count, before(larger(0, axis.source() - begin))))};
  }

  CorrelationAxis height_, width_;
  int64_t top_, left_, pitch_, plane_;
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
