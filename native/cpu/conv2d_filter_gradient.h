// The gradient of the filters: dw(filter, channel, tap) = sum over images and pixels of features * shifted image.
//
// A matrix product again, its rows the (channel, tap) of a group, its columns the filters, its depth (image, pixel).
// The left factor is the image where it lies (framed with zeros where there is padding): the tables of the correlation
// change roles. The features are transposed into panels, a few hundred pixels at a time.
#pragma once

#include "filter_gradient_shares.h"

namespace cortado::CORTADO_ISA {
namespace {

class FilterGradient {
 public:
  FilterGradient(const Conv2dShape& shape, int threads)
      : shape_(shape),
        shares_(shape, threads),
        frame_height_((shape.height.features - 1) * shape.height.stride +
                      (shape.height.taps - 1) * shape.height.dilation + 1),
        frame_width_((shape.width.features - 1) * shape.width.stride + (shape.width.taps - 1) * shape.width.dilation +
                     1) {
    framed_ = shape.height.pad > 0 || shape.width.pad > 0 || frame_height_ > shape.height.image ||
              frame_width_ > shape.width.image;
    if (!framed_) {
      frame_height_ = shape.height.image;
      frame_width_ = shape.width.image;
    }
    block_images_ = smaller(shape.images, larger(1, kDepth / larger(1, shape.pixels())));
  }

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
  static constexpr int64_t kDepth = 512;  // addends summed in registers at once

  /// A thread's own scratch.
  struct Room {
    int64_t *pixel, *tap;  // distance of each (image, pixel) of a block from its first; of each (channel, tap)
    float *framed, *panel, *products;
    Room(Scratch& scratch, const FilterGradient& f)
        : pixel(scratch.take<int64_t>(f.block_images_ * f.shape_.pixels())),
          tap(scratch.take<int64_t>(f.shares_.rows)),
          framed(scratch.take<float>(f.framed_ ? f.block_images_ * f.shape_.channels * f.frame() : 0)),
          panel(scratch.take<float>(kDepth * kPanel)),
          products(scratch.take<float>(f.shares_.room())) {}
  };

  int64_t frame() const { return frame_height_ * frame_width_; }
  int64_t image_plane() const { return shape_.height.image * shape_.width.image; }
  int64_t image_stride() const {
    return framed_ ? shape_.channels * frame() : shape_.groups * shape_.channels * frame();
  }

  void multiply(const float* image, const float* features, float* filters, const Room& room, int thread) const {
    fill_distances(room);
    shares_.each(thread, room.products, [&](const GradientShare& share) {
      for (int64_t first = 0; first < shape_.images; first += block_images_)
        add_block(image, features, room, share, first, smaller(block_images_, shape_.images - first));
      shares_.finish(share, filters);
    });
  }

  void fill_distances(const Room& room) const {
    int64_t* at = room.pixel;
    for (int64_t image = 0; image < block_images_; ++image) {
      for (int64_t y = 0; y < shape_.height.features; ++y) {
        const int64_t row = image * image_stride() + y * shape_.height.stride * frame_width_;
        for (int64_t x = 0; x < shape_.width.features; ++x) *at++ = row + x * shape_.width.stride;
      }
    }
    at = room.tap;
    for (int64_t channel = 0; channel < shape_.channels; ++channel) {
      for (int64_t r = 0; r < shape_.height.taps; ++r) {
        const int64_t row = channel * frame() + r * shape_.height.dilation * frame_width_;
        for (int64_t s = 0; s < shape_.width.taps; ++s) *at++ = row + s * shape_.width.dilation;
      }
    }
  }

  /// The block's images as this share's rows see them.
  const float* open_block(const float* image, const Room& room, const GradientShare& share, int64_t first,
                          int64_t count) const {
    const int64_t stride = shape_.groups * shape_.channels * image_plane();
    const float* source = image + first * stride + share.group * shape_.channels * image_plane();
    if (!framed_) return source;
    const int64_t begin = share.rows.begin / shape_.taps(), end = divide_up(share.rows.end, shape_.taps());
    for (int64_t i = 0; i < count; ++i) {
      copy_framed(source + i * stride + begin * image_plane(), end - begin, shape_.height.image, shape_.width.image,
                  -shape_.height.pad, -shape_.width.pad, room.framed + i * image_stride() + begin * frame(),
                  frame_height_, frame_width_);
    }
    return room.framed;
  }

  void add_block(const float* image, const float* features, const Room& room, const GradientShare& share, int64_t first,
                 int64_t count) const {
    const float* source = open_block(image, room, share, first, count);
    const int64_t depth = count * shape_.pixels(), steps = divide_up(depth, kDepth);
    for (int64_t step = 0; step < steps; ++step) {
      const Part part = part_of(depth, step, steps);
      for (int64_t panel = share.panels.begin; panel < share.panels.end; ++panel) {
        pack(features, room.panel, share.group, panel, first, part);
        add_panel(source, room, share, panel, part, first > 0 || step > 0);
      }
    }
  }

  /// Pixels `part` of the block of images from `first` on, [pixel][filter of the panel].
  void pack(const float* features, float* to, int64_t group, int64_t panel, int64_t first, const Part& part) const {
    const int64_t pixels = shape_.pixels(), width = shares_.panels.width(panel);
    for (int64_t at = part.begin; at < part.end;) {
      const int64_t image = at / pixels, end = smaller(part.end, (image + 1) * pixels);
      const int64_t plane = ((first + image) * shape_.groups + group) * shape_.filters + shares_.panels.begin(panel);
      pack_transposed(features + plane * pixels + at % pixels, pixels, shares_.panels.lanes(panel), end - at,
                      to + (at - part.begin) * width, width);
      at = end;
    }
  }

  void add_panel(const float* source, const Room& room, const GradientShare& share, int64_t panel, const Part& depth,
                 bool add) const {
    const int64_t width = shares_.panels.width(panel);
    float* products = shares_.products_of(share, panel);
    for (int64_t row = share.rows.begin; row < share.rows.end;) {
      const int tile = tile_height(share.rows.end - row);
      TileRows rows;
      for (int i = 0; i < tile; ++i) rows.row[i] = source + room.tap[row + i];
      multiply_tile(tile, width,
                    {rows,
                     room.pixel + depth.begin,
                     depth.end - depth.begin,
                     {room.panel, width},
                     {products + (row - share.rows.begin) * width, width, add}});
      row += tile;
    }
  }

  Conv2dShape shape_;
  GradientShares shares_;
  int64_t frame_height_, frame_width_;
  bool framed_;
  int64_t block_images_;  // images taken at once
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
