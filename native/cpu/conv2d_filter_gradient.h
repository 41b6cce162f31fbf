// The gradient of the filters: dw(filter, channel, tap) = sum over images and pixels of features * shifted image.
//
// A matrix product again, its rows the (channel, tap) of a group, its columns the filters, its depth (image, pixel).
// The left factor is the image where it lies (framed with zeros where there is padding): the tables of the correlation
// change roles. The features are transposed into panels, a few hundred pixels at a time. Each thread owns a block of dw
// and adds up all images in one order, so that the bits depend on the team's size alone.
#pragma once

#include "conv2d_shape.h"
#include "gemm_pack.h"

namespace cortado::CORTADO_ISA {
namespace {

class FilterGradient {
 public:
  FilterGradient(const Conv2dShape& shape, int threads)
      : shape_(shape),
        panels_(shape.filters),
        rows_(shape.channels * shape.taps()),
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
    const int64_t tiles = divide_up(rows_, kTileRows);
    grid_ = make_grid(threads, tiles, panels_, shape.groups, false);
    block_images_ = smaller(shape.images, larger(1, kDepth / larger(1, shape.pixels())));
    room_rows_ = smaller(rows_, divide_up(tiles, grid_.rows) * kTileRows);
    room_columns_ = widest_band(panels_, shape.groups, grid_.columns);
  }

  size_t scratch() const {
    Scratch scratch(nullptr);
    for (int i = 0; i < grid_.rows * grid_.columns; ++i) Room(scratch, *this);
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
          tap(scratch.take<int64_t>(f.rows_)),
          framed(scratch.take<float>(f.framed_ ? f.block_images_ * f.shape_.channels * f.frame() : 0)),
          panel(scratch.take<float>(kDepth * kPanel)),
          products(scratch.take<float>(f.room_rows_ * f.room_columns_)) {}
  };

  /// A thread's share of one group: rows of dw, panels of filters.
  struct Share {
    int64_t group;
    Part rows, panels;
    float* products;  // one panel's rows after the other's
  };

  int64_t frame() const { return frame_height_ * frame_width_; }
  int64_t image_plane() const { return shape_.height.image * shape_.width.image; }
  int64_t image_stride() const {
    return framed_ ? shape_.channels * frame() : shape_.groups * shape_.channels * frame();
  }

  void multiply(const float* image, const float* features, float* filters, const Room& room, int thread) const {
    fill_distances(room);
    const Part tiles = grid_.row_part(divide_up(rows_, kTileRows), thread);
    const Part rows{tiles.begin * kTileRows, smaller(rows_, tiles.end * kTileRows)};
    const Part columns = grid_.column_part(shape_.groups * panels_.count, thread);
    if (rows.begin >= rows.end) return;
    for (int64_t unit = columns.begin; unit < columns.end;) {
      const int64_t group = unit / panels_.count;
      const int64_t end = smaller(columns.end, (group + 1) * panels_.count);
      const Share share{group, rows, {unit - group * panels_.count, end - group * panels_.count}, room.products};
      for (int64_t first = 0; first < shape_.images; first += block_images_) {
        add_block(image, features, room, share, first, smaller(block_images_, shape_.images - first));
      }
      finish(share, filters);
      unit = end;
    }
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
  const float* open_block(const float* image, const Room& room, const Share& share, int64_t first,
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

  void add_block(const float* image, const float* features, const Room& room, const Share& share, int64_t first,
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
    const int64_t pixels = shape_.pixels(), width = panels_.width(panel);
    for (int64_t at = part.begin; at < part.end;) {
      const int64_t image = at / pixels, end = smaller(part.end, (image + 1) * pixels);
      const int64_t plane = ((first + image) * shape_.groups + group) * shape_.filters + panels_.begin(panel);
      pack_transposed(features + plane * pixels + at % pixels, pixels, panels_.lanes(panel), end - at,
                      to + (at - part.begin) * width, width);
      at = end;
    }
  }

  void add_panel(const float* source, const Room& room, const Share& share, int64_t panel, const Part& depth,
                 bool add) const {
    const int64_t width = panels_.width(panel);
    float* products = products_of(share, panel);
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

  float* products_of(const Share& share, int64_t panel) const {
    return share.products +
           (share.rows.end - share.rows.begin) * (panels_.begin(panel) - panels_.begin(share.panels.begin));
  }

  void finish(const Share& share, float* filters) const {
    for (int64_t panel = share.panels.begin; panel < share.panels.end; ++panel) {
      float* to = filters + (share.group * shape_.filters + panels_.begin(panel)) * rows_ + share.rows.begin;
      each_column(
          products_of(share, panel), panels_.width(panel), share.rows.end - share.rows.begin, panels_.lanes(panel),
          [&](int64_t filter, int64_t row, int64_t count, Vf v) { store_part(to + filter * rows_ + row, v, count); });
    }
  }

  Conv2dShape shape_;
  Panels panels_;  // of one group's filters
  int64_t rows_;   // (channel, tap) of one group
  int64_t frame_height_, frame_width_;
  bool framed_;
  Grid grid_;
  int64_t block_images_;              // images taken at once
  int64_t room_rows_, room_columns_;  // of the largest share
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
