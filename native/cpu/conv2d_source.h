// An image as the direct convolution reads it: where it lies, or in a frame of zeros where there is padding; there with
// channels last, where the weights have them so (conv2d_weights.h).
#pragma once

#include "conv2d_weights.h"

namespace cortado::CORTADO_ISA {
namespace {

/// What one group sees of an image.
class SourceFrame {
 public:
  explicit SourceFrame(const CorrelationWeights& weights)
      : source_height_(weights.height.source()),
        source_width_(weights.width.source()),
        channels_(weights.channels),
        channels_last_(weights.channels_last),
        top_(weights.height.frame_begin()),
        left_(weights.width.frame_begin()),
        height_(weights.height.frame_size()),
        width_(weights.width.frame_size()),
        framed_(channels_last_ || top_ < 0 || left_ < 0 || height_ > source_height_ || width_ > source_width_) {
    if (framed_) return;
    height_ = source_height_;
    width_ = source_width_;
  }

  /// Whether it is copied.
  CORTADO_INLINE bool framed() const { return framed_; }
  /// Numbers of all.
  int64_t image() const { return channels_ * height_ * width_; }

  /// From pixel to pixel of a row, and from channel to channel.
  CORTADO_INLINE int64_t pixel_step() const { return channels_last_ ? channels_ : 1; }
  CORTADO_INLINE int64_t channel_step() const { return channels_last_ ? 1 : height_ * width_; }
  /// From a pixel to another one.
  CORTADO_INLINE int64_t distance(int64_t rows, int64_t columns) const {
    return (rows * width_ + columns) * pixel_step();
  }
  /// Where a pixel of the image lies, which may be one of its frame.
  CORTADO_INLINE int64_t place(int64_t y, int64_t x) const { return distance(y - top_, x - left_); }

  /// What a frame is filled by: a row of pixels with their channels, or a plane.
  int64_t strips() const { return channels_last_ ? height_ : channels_; }
  /// Fills some of them.
  void fill(const float* source, const Part& strips, float* frame) const {
    if (channels_last_) return fill_rows(source, strips, frame);
    const int64_t plane = source_height_ * source_width_;
    copy_framed(source + strips.begin * plane, strips.end - strips.begin, source_height_, source_width_, top_, left_,
                frame + strips.begin * height_ * width_, height_, width_);
  }

 private:
  void fill_rows(const float* source, const Part& strips, float* frame) const {
    const int64_t row = width_ * channels_, columns = larger(0, smaller(source_width_, width_ + left_));
    const auto clear = [](float* to, int64_t count) { memset(to, 0, static_cast<size_t>(count) * sizeof(float)); };
    for (int64_t strip = strips.begin; strip < strips.end; ++strip) {
      float* const to = frame + strip * row;
      const int64_t y = strip + top_, first = -left_ * channels_, last = first + columns * channels_;
      const bool inside = y >= 0 && y < source_height_;
      clear(to, inside ? first : row);
      if (!inside) continue;
      each_column(source + y * source_width_, source_height_ * source_width_, channels_, columns,
                  [&](int64_t x, int64_t channel, int64_t count, Vf v) {
                    store_lanes(to + first + x * channels_ + channel, v, count);
                  });
      clear(to + last, row - last);
    }
  }

  int64_t source_height_, source_width_, channels_;
  bool channels_last_;
  int64_t top_, left_, height_, width_;
  bool framed_;
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
