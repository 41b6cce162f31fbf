// The gradient of filters that are their groups' only ones and see one channel each: with channels in lanes, as
// conv2d_depthwise.h has them, so that no lanes are added up.
#pragma once

#include "conv2d_lanes.h"
#include "conv2d_step.h"
#include "conv2d_tap_sums.h"

namespace cortado::CORTADO_ISA {
namespace {

class DepthwiseFilterGradient {
 public:
  explicit DepthwiseFilterGradient(const Conv2dShape& shape)
      : shape_(shape),
        height_{shape.height, false},
        width_{shape.width, false},
        bands_(divide_up(shape.height.features, LaneFrame::rows_in(kFrame, height_, width_))),
        frame_(height_, width_, divide_up(shape.height.features, bands_)) {}

  bool fits() const { return shape_.channels == 1 && shape_.filters == 1; }

  size_t scratch(int threads) const {
    Scratch scratch(nullptr);
    Sums(scratch, *this);
    for (int i = 0; i < threads; ++i) Room(scratch, *this);
    return scratch.bytes();
  }

  /// image, features and filters as in Conv2dShape; bias (or nullptr) is the gradient of a bias per filter.
  void run(const Run& run, const float* image, const float* features, float* filters, float* bias) const {
    Scratch scratch(run.scratch);
    const Sums sums(scratch, *this);
    on_every_thread(run.threads, [&](int thread, int threads) {
      Scratch own = scratch;
      for (int i = 0; i < thread; ++i) Room(own, *this);
      const Room room(own, *this);
      for (int64_t tap = 0; tap < shape_.taps(); ++tap)
        room.at[tap] = frame_.distance(0, 0, tap / shape_.width.taps, tap % shape_.width.taps);
      frame_.begin(room.frame, room.places);
      const Part part = part_of(blocks(), thread, threads);
      const auto count = static_cast<size_t>(part.end - part.begin);
      memset(sums.taps + part.begin * block_sums(), 0, count * static_cast<size_t>(block_sums()) * sizeof(float));
      memset(sums.bias + part.begin * kLanes, 0, count * kLanes * sizeof(double));
      // In the order of memory.
      for (int64_t i = 0; i < shape_.images; ++i) {
        for (int64_t block = part.begin; block < part.end; ++block) {
          for (int64_t band = 0; band < bands_; ++band)
            add_band(image, features, room, sums, i, block, part_of(shape_.height.features, band, bands_));
        }
      }
      for (int64_t block = part.begin; block < part.end; ++block) finish(sums, block, filters, bias);
    });
  }

 private:
  static constexpr int64_t kFrame = 8192;  // numbers of a frame, at most, beside the taps' own rows

  /// Of all filters; each thread has blocks of its own.
  struct Sums {
    float* taps;
    double* bias;
    Sums(Scratch& scratch, const DepthwiseFilterGradient& f)
        : taps(scratch.take<float>(f.blocks() * f.block_sums())), bias(scratch.take<double>(f.blocks() * kLanes)) {}
  };

  /// A thread's own scratch.
  struct Room {
    int64_t *at, *places;     // distance of each tap; of pixels
    float *frame, *features;  // a band of kLanes planes
    Room(Scratch& scratch, const DepthwiseFilterGradient& f)
        : at(scratch.take<int64_t>(f.shape_.taps())),
          places(scratch.take<int64_t>(f.frame_.places())),
          frame(scratch.take<float>(f.frame_.size())),
          features(
              scratch.take<float>(divide_up(f.shape_.height.features, f.bands_) * f.shape_.width.features * kLanes)) {}
  };

  /// Of kLanes filters.
  int64_t blocks() const { return divide_up(shape_.groups, kLanes); }
  int64_t block_sums() const { return shape_.taps() * kLanes; }
  int64_t lanes(int64_t block) const { return smaller(kLanes, shape_.groups - block * kLanes); }

  void add_band(const float* image, const float* features, const Room& room, const Sums& sums, int64_t index,
                int64_t block, const Part& band) const {
    const int64_t plane = index * shape_.groups + block * kLanes, width = shape_.width.features,
                  rows = band.end - band.begin;
    frame_.open(image + plane * shape_.height.image * shape_.width.image, lanes(block), band, room.places, room.frame);
    planes_to_lanes(
        features + plane * shape_.pixels() + band.begin * width, shape_.pixels(), lanes(block), rows * width,
        room.features, [](int64_t pixel) { return pixel * kLanes; },
        ahead_of(band, shape_.height.features, 1, width, shape_.pixels()));
    Vf total{};
    for (int64_t i = 0; i < rows * width; ++i) total += load(room.features + i * kLanes);
    for (int64_t lane = 0; lane < kLanes; ++lane) sums.bias[block * kLanes + lane] += static_cast<double>(total[lane]);
    add_taps(shape_.taps(), {rows, width, room.features, room.frame, frame_.at(1, 0), frame_.at(0, 1), room.at,
                             sums.taps + block * block_sums()});
  }

  void finish(const Sums& sums, int64_t block, float* filters, float* bias) const {
    for (int64_t lane = 0; lane < lanes(block); ++lane) {
      const int64_t filter = block * kLanes + lane;
      for (int64_t tap = 0; tap < shape_.taps(); ++tap)
        filters[filter * shape_.taps() + tap] = sums.taps[block * block_sums() + tap * kLanes + lane];
      if (bias != nullptr) bias[filter] = static_cast<float>(sums.bias[filter]);
    }
  }

  Conv2dShape shape_;
  CorrelationAxis height_, width_;
  int64_t bands_;
  LaneFrame frame_;
};

using Conv2dDepthwiseWgrad = FilterGradientStep<DepthwiseFilterGradient>;

}  // namespace
}  // namespace cortado::CORTADO_ISA
