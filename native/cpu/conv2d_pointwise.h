// The convolution of 1 x 1 taps from any side: for each image of a group, weights times the matrix that its planes are.
//
// Small images, and those of which a stride leaves pixels out, are gathered: some of them side by side, so that columns
// fill panels.
#pragma once

#include "conv2d_weight_rows.h"
#include "gemm.h"

namespace cortado::CORTADO_ISA {
namespace {

class PointwiseCorrelation {
 public:
  PointwiseCorrelation(const Conv2dShape& shape, bool backward, int threads)
      : weights_(shape, backward),
        images_(shape.images),
        pixels_(shape.pixels()),
        gathered_(strides() || (pixels_ < kColumns && images_ > 1)),
        block_(gathered_ ? divide_up(images_, divide_up(images_ * pixels_, larger(pixels_, kGathered))) : 1),
        alone_(!gathered_ && (maps() % threads == 0 || maps() >= 4 * threads)),
        product_(weights_.planes, block_ * pixels_, weights_.channels, alone_ ? 1 : threads) {}

  bool fits() const {
    const auto plain = [](const Extent& e) { return e.taps == 1 && e.pad == 0; };
    return plain(weights_.height.extent) && plain(weights_.width.extent);
  }

  size_t scratch(int threads) const {
    Scratch scratch(nullptr);
    for (int i = 0; i < (alone_ ? threads : 1); ++i) scratch.take<char>(bytes());
    Room(scratch, *this);
    return scratch.bytes();
  }

  void run(const Run& run, const CorrelationData& data) const {
    if (gathered_) return multiply_gathered(run, data);
    on_every_thread(run.threads, [&](int thread, int threads) {
      Scratch scratch(run.scratch);
      if (!alone_) {
        char* const shared = scratch.take<char>(bytes());
        for (int64_t map = 0; map < maps(); ++map) multiply(data, shared, thread, map);
        return;
      }
      for (int i = 0; i < thread; ++i) scratch.take<char>(bytes());
      char* const own = scratch.take<char>(bytes());
      const Part part = part_of(maps(), thread, threads);
      for (int64_t map = part.begin; map < part.end; ++map) multiply(data, own, 0, map);
    });
  }

 private:
  static constexpr int64_t kColumns = 128;   // that leave few lanes of their last panel empty
  static constexpr int64_t kGathered = 512;  // columns of images side by side, nearly

  /// Images side by side: their source, and what is made of it.
  struct Room {
    float *source, *output;
    Room(Scratch& scratch, const PointwiseCorrelation& c)
        : source(scratch.take<float>(c.gathered_ ? c.weights_.channels * c.block_ * c.pixels_ + kLanes : 0)),
          output(scratch.take<float>(c.gathered_ ? c.weights_.planes * c.block_ * c.pixels_ : 0)) {}
  };

  bool strides() const { return weights_.height.extent.stride > 1 || weights_.width.extent.stride > 1; }
  /// Groups of all images.
  int64_t maps() const { return images_ * weights_.groups; }
  int64_t bytes() const { return static_cast<int64_t>(product_.scratch()); }

  LeftFactor weight_of(const CorrelationData& data, int64_t group) const {
    const bool transposed = weights_.height.backward;
    return {data.weight + group * weights_.planes * weights_.channels, transposed ? weights_.planes : weights_.channels,
            transposed};
  }
  Finish finish_of(const CorrelationData& data, int64_t group) const {
    return {data.bias == nullptr ? nullptr : data.bias + group * weights_.planes, true, data.bounds};
  }

  void multiply(const CorrelationData& data, void* room, int thread, int64_t map) const {
    const int64_t group = map % weights_.groups;
    product_.share(room, thread, weight_of(data, group), data.source + map * weights_.channels * pixels_,
                   finish_of(data, group), data.output + map * weights_.planes * pixels_);
  }

  void multiply_gathered(const Run& run, const CorrelationData& data) const {
    Scratch scratch(run.scratch);
    Run of_product = run;
    of_product.scratch = scratch.take<char>(bytes());
    const Room room(scratch, *this);
    for (int64_t first = 0; first < images_; first += block_) {
      const Part images{first, smaller(images_, first + block_)};
      for (int64_t group = 0; group < weights_.groups; ++group) {
        for_slices(run.threads, weights_.channels, 1, [&](int64_t begin, int64_t end) {
          for (int64_t channel = begin; channel < end; ++channel) gather(data.source, room, images, group, channel);
        });
        product_.run(of_product, weight_of(data, group), room.source, finish_of(data, group), room.output);
        for_slices(run.threads, weights_.planes, 1, [&](int64_t begin, int64_t end) {
          for (int64_t plane = begin; plane < end; ++plane) spread(room, images, group, plane, data.output);
        });
      }
    }
  }

  /// A channel of some images side by side. What the last ones leave over is of images before.
  void gather(const float* source, const Room& room, const Part& images, int64_t group, int64_t channel) const {
    const int64_t size = weights_.height.source() * weights_.width.source();
    const int64_t stride = weights_.height.step() * weights_.width.source(), step = weights_.width.step();
    float* to = room.source + channel * block_ * pixels_;
    for (int64_t image = images.begin; image < images.end; ++image, to += pixels_) {
      const float* plane = source + ((image * weights_.groups + group) * weights_.channels + channel) * size;
      if (size == pixels_) {
        memcpy(to, plane, static_cast<size_t>(pixels_) * sizeof(float));
      } else {
        each_pixel([&](int64_t y, int64_t x, int64_t i) { to[i] = plane[y * stride + x * step]; });
      }
    }
  }

  /// A plane to its images, with zeros where a stride left pixels out.
  void spread(const Room& room, const Part& images, int64_t group, int64_t plane, float* output) const {
    const int64_t size = weights_.height.output() * weights_.width.output();
    const int64_t stride = weights_.height.out_step() * weights_.width.output(), step = weights_.width.out_step();
    const float* from = room.output + plane * block_ * pixels_;
    for (int64_t image = images.begin; image < images.end; ++image, from += pixels_) {
      float* to = output + ((image * weights_.groups + group) * weights_.planes + plane) * size;
      if (size == pixels_) {
        memcpy(to, from, static_cast<size_t>(pixels_) * sizeof(float));
      } else {
        memset(to, 0, static_cast<size_t>(size) * sizeof(float));
        each_pixel([&](int64_t y, int64_t x, int64_t i) { to[y * stride + x * step] = from[i]; });
      }
    }
  }

  /// f(row, column, number) of each pixel of the features.
  template <class F>
  CORTADO_INLINE void each_pixel(const F& f) const {
    int64_t i = 0;
    for (int64_t y = 0; y < weights_.height.extent.features; ++y) {
      for (int64_t x = 0; x < weights_.width.extent.features; ++x) f(y, x, i++);
    }
  }

  CorrelationWeights weights_;
  int64_t images_, pixels_;  // of the features' planes
  bool gathered_;
  int64_t block_;  // images side by side
  bool alone_;     // each thread has images of its own; or all have a part of each
  Product product_;
};

using Conv2dPointwise = CorrelationStep<PointwiseCorrelation, false, true>;
using Conv2dPointwiseDgrad = CorrelationStep<PointwiseCorrelation, true, false>;

}  // namespace
}  // namespace cortado::CORTADO_ISA
