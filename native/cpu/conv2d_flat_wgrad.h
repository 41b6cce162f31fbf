// The gradient of filters that see one channel each.
//
// conv2d_filter_gradient.h has filters in lanes, and here a group has one. Here they are the pixels of a run through a
// frame (conv2d_frame.h), and the features lie as it does, with zeros in its gaps: each tap's sum is a vector whose
// lanes are added up at the very end.
#pragma once

#include "conv2d_frame.h"
#include "conv2d_step.h"
#include "conv2d_tap_sums.h"
#include "reduce_planes.h"

namespace cortado::CORTADO_ISA {
namespace {

class FlatFilterGradient {
 public:
  explicit FlatFilterGradient(const Conv2dShape& shape)
      : shape_(shape),
        height_{shape.height, false},
        width_{shape.width, false},
        bands_(bands()),
        frame_(height_, width_, divide_up(shape.height.features, bands_)),
        block_(larger(1, kBand / frame_.channel())) {}

  bool fits() const { return shape_.channels == 1; }

  size_t scratch(int threads) const {
    Scratch scratch(nullptr);
    for (int i = 0; i < threads; ++i) Room(scratch, *this);
    return scratch.bytes();
  }

  /// image, features and filters as in Conv2dShape; bias (or nullptr) is the gradient of a bias per filter.
  void run(const Run& run, const float* image, const float* features, float* filters, float* bias) const {
    on_every_thread(run.threads, [&](int thread, int threads) {
      Scratch scratch(run.scratch);
      for (int i = 0; i < thread; ++i) Room(scratch, *this);
      const Room room(scratch, *this);
      for (int64_t tap = 0; tap < shape_.taps(); ++tap)
        room.at[tap] = frame_.distance(0, 0, tap / shape_.width.taps, tap % shape_.width.taps);
      const Part part = part_of(all_filters(), thread, threads);
      for (int64_t first = part.begin; first < part.end; first += block_) {
        const Part block{first, smaller(part.end, first + block_)};
        add_up(image, features, room, block);
        for (int64_t filter = block.begin; filter < block.end; ++filter) {
          const float* sums = room.sums + (filter - first) * shape_.taps() * kLanes;
          for (int64_t tap = 0; tap < shape_.taps(); ++tap)
            filters[filter * shape_.taps() + tap] = sum(load(sums + tap * kLanes));
          if (bias != nullptr) bias[filter] = static_cast<float>(room.bias[filter - first]);
        }
      }
    });
  }

 private:
  static constexpr int64_t kBand = 4096;  // numbers of a block's frames, at most, beside the taps' own rows

  /// A thread's own scratch.
  struct Room {
    int64_t* at;                     // distance of each tap
    float *frame, *features, *sums;  // channels of a block of filters; a filter's features; sums of each filter's taps
    double* bias;                    // sum of each filter's features
    Room(Scratch& scratch, const FlatFilterGradient& f)
        : at(scratch.take<int64_t>(f.shape_.taps())),
          frame(scratch.take<float>(f.frame_.size(f.block_))),
          features(scratch.take<float>(f.frame_.size(1))),
          sums(scratch.take<float>(f.block_ * f.shape_.taps() * kLanes)),
          bias(scratch.take<double>(f.block_)) {}
  };

  int64_t all_filters() const { return shape_.groups * shape_.filters; }
  int64_t bands() const {
    const int64_t row = Frame(height_, width_, 2).channel() - Frame(height_, width_, 1).channel();
    return smaller(shape_.height.features, divide_up(shape_.height.features * larger(1, row), kBand));
  }

  /// The sums of some filters' taps over all images, and those of their features.
  void add_up(const float* image, const float* features, const Room& room, const Part& block) const {
    const int64_t count = block.end - block.begin, channel = block.begin / shape_.filters;
    const int64_t channels = (block.end - 1) / shape_.filters + 1 - channel;
    memset(room.sums, 0, static_cast<size_t>(count * shape_.taps() * kLanes) * sizeof(float));
    memset(room.bias, 0, static_cast<size_t>(count) * sizeof(double));
    for (int64_t i = 0; i < shape_.images; ++i) {
      const float* source = image + (i * shape_.groups + channel) * shape_.height.image * shape_.width.image;
      for (int64_t band = 0; band < bands_; ++band) {
        const Part rows = part_of(shape_.height.features, band, bands_);
        frame_.open(source, channels, rows.begin, room.frame);
        for (int64_t filter = block.begin; filter < block.end; ++filter) {
          add_filter(features + (i * all_filters() + filter) * shape_.pixels(), rows, room, filter - block.begin,
                     room.frame + (filter / shape_.filters - channel) * frame_.channel());
        }
      }
    }
  }

  /// Some rows of a filter's features with the frame of its channel.
  void add_filter(const float* features, const Part& rows, const Room& room, int64_t index, const float* frame) const {
    // As far apart as the frame's rows, and with zeros up to the end of the last vector.
    const int64_t width = shape_.width.features, run = frame_.run(rows.end - rows.begin, width);
    spread_rows<1>(features + rows.begin * width, width, 1, rows.end - rows.begin, width, room.features,
                   frame_.pitch());
    store(room.features + run, zero());
    room.bias[index] += static_cast<double>(sum_of(room.features, run));
    // Neighbours of the run are neighbours of the frame.
    add_taps(shape_.taps(), {1, divide_up(run, kLanes), room.features, frame, 0, kLanes, room.at,
                             room.sums + index * shape_.taps() * kLanes});
  }

  Conv2dShape shape_;
  CorrelationAxis height_, width_;
  int64_t bands_;
  Frame frame_;
  int64_t block_;  // filters that are added up image by image
};

using Conv2dFlatWgrad = FilterGradientStep<FlatFilterGradient>;

}  // namespace
}  // namespace cortado::CORTADO_ISA
