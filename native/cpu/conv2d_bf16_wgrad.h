// The gradient of the filters in bfloat16: conv2d_filter_gradient.h's product, whose depth, (image, pixel), falls into
// pairs of images. Two images are laid side by side, in a frame of zeros; so are their features.
#pragma once

#include "filter_gradient_shares.h"
#include "gemm_tile_bf16.h"

namespace cortado::CORTADO_ISA {
namespace {

class FilterGradientBf16 {
 public:
  FilterGradientBf16(const Conv2dShape& shape, int threads)
      : shape_(shape),
        shares_(shape, threads),
        height_((shape.height.features - 1) * shape.height.stride + (shape.height.taps - 1) * shape.height.dilation +
                1),
        width_((shape.width.features - 1) * shape.width.stride + (shape.width.taps - 1) * shape.width.dilation + 1) {}

  size_t scratch() const {
    Scratch scratch(nullptr);
    for (int i = 0; i < shares_.threads(); ++i) Room(scratch, *this);
    return scratch.bytes();
  }

  /// image, features and filters as in Conv2dShape; filters are overwritten.
  void run(const Run& run, const float* image, const float* features, float* filters) const {
    on_every_thread(run.threads, [&](int thread, int) {
      Scratch scratch(run.scratch);
      for (int i = 0; i < thread; ++i) Room(scratch, *this);
      multiply(image, features, filters, Room(scratch, *this), thread);
    });
  }

 private:
  static constexpr int64_t kDepth = 512;  // pairs summed in registers at once

  /// A thread's own scratch.
  struct Room {
    int64_t *pixel, *tap;  // distances of each pixel, and of each (channel, tap), in a pair of images
    Pair *images, *panel, *stage;
    float* products;
    Room(Scratch& scratch, const FilterGradientBf16& f)
        : pixel(scratch.take<int64_t>(f.shape_.pixels())),
          tap(scratch.take<int64_t>(f.shares_.rows)),
          images(scratch.take<Pair>(f.shape_.channels * f.plane() + kLanes)),
          panel(scratch.take<Pair>(kDepth * kPanel)),
          stage(scratch.take<Pair>(kDepth * kPanel + kLanes)),
          products(scratch.take<float>(f.shares_.room())) {}
  };

  int64_t plane() const { return height_ * width_; }

  void multiply(const float* image, const float* features, float* filters, const Room& room, int thread) const {
    fill_distances(room);
    shares_.each(thread, room.products, [&](const GradientShare& share) {
      for (int64_t first = 0; first < shape_.images; first += 2) {
        open(image, room, share, first);
        add_images(features, room, share, first);
      }
      shares_.finish(share, filters);
    });
  }

  void fill_distances(const Room& room) const {
    int64_t *pixel = room.pixel, *tap = room.tap;
    for (int64_t y = 0; y < shape_.height.features; ++y) {
      for (int64_t x = 0; x < shape_.width.features; ++x)
        *pixel++ = 2 * (y * shape_.height.stride * width_ + x * shape_.width.stride);
    }
    for (int64_t channel = 0; channel < shape_.channels; ++channel) {
      for (int64_t r = 0; r < shape_.height.taps; ++r) {
        for (int64_t s = 0; s < shape_.width.taps; ++s)
          *tap++ = 2 * (channel * plane() + r * shape_.height.dilation * width_ + s * shape_.width.dilation);
      }
    }
  }

  /// The second of a pair, `stride` behind the first, if there are so many images.
  const float* second(const float* from, int64_t stride, int64_t first) const {
    return first + 1 < shape_.images ? from + stride : nullptr;
  }

  /// Lays the images first and first + 1 side by side, as far as this share's rows and all windows reach.
  void open(const float* image, const Room& room, const GradientShare& share, int64_t first) const {
    const int64_t size = shape_.height.image * shape_.width.image, stride = shape_.groups * shape_.channels * size;
    const int64_t begin = share.rows.begin / shape_.taps(), end = divide_up(share.rows.end, shape_.taps());
    const int64_t height = larger(0, smaller(shape_.height.image, height_ - shape_.height.pad)),
                  width = larger(0, smaller(shape_.width.image, width_ - shape_.width.pad));
    memset(room.images + begin * plane(), 0, static_cast<size_t>((end - begin) * plane()) * sizeof(Pair));
    for (int64_t channel = begin; channel < end; ++channel) {
      const float* from = image + first * stride + (share.group * shape_.channels + channel) * size;
      for (int64_t y = 0; y < height; ++y) {
        const float* row = from + y * shape_.width.image;
        pair_rows(row, second(row, stride, first), width,
                  room.images + channel * plane() + (y + shape_.height.pad) * width_ + shape_.width.pad);
      }
    }
  }

  void add_images(const float* features, const Room& room, const GradientShare& share, int64_t first) const {
    const int64_t steps = divide_up(shape_.pixels(), kDepth);
    for (int64_t step = 0; step < steps; ++step) {
      const Part part = part_of(shape_.pixels(), step, steps);
      for (int64_t panel = share.panels.begin; panel < share.panels.end; ++panel) {
        pack(features, room, share.group, panel, first, part);
        add_panel(room, share, panel, part, first > 0 || step > 0);
      }
    }
  }

  /// Features of a pair of images, [pixel][filter of the panel].
  void pack(const float* features, const Room& room, int64_t group, int64_t panel, int64_t first,
            const Part& part) const {
    const int64_t pixels = shape_.pixels(), size = part.end - part.begin,
                  stride = shape_.groups * shape_.filters * pixels;
    const int64_t plane = (first * shape_.groups + group) * shape_.filters + shares_.panels.begin(panel);
    const float* from = features + plane * pixels + part.begin;
    for (int64_t i = 0; i < shares_.panels.lanes(panel); ++i, from += pixels)
      pair_rows(from, second(from, stride, first), size, room.stage + i * size);
    pack_transposed(room.stage, size, shares_.panels.lanes(panel), size, room.panel, shares_.panels.width(panel));
  }

  void add_panel(const Room& room, const GradientShare& share, int64_t panel, const Part& depth, bool add) const {
    const int64_t width = shares_.panels.width(panel);
    float* products = shares_.products_of(share, panel);
    const auto* images = reinterpret_cast<const uint16_t*>(room.images);
    for (int64_t row = share.rows.begin; row < share.rows.end;) {
      const int height = tile_height(share.rows.end - row);
      PairTile tile{{},
                    room.pixel + depth.begin,
                    depth.end - depth.begin,
                    {room.panel, width},
                    {products + (row - share.rows.begin) * width, width, add},
                    {}};
      for (int i = 0; i < height; ++i) tile.a.row[i] = images + room.tap[row + i];
      multiply_pairs(height, width, tile);
      row += height;
    }
  }

  Conv2dShape shape_;
  GradientShares shares_;
  int64_t height_, width_;  // of a framed image, as far as windows reach
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
