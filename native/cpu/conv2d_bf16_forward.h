// Convolution in bfloat16: conv2d_correlation.h's product with images that are rounded, framed and laid out in pairs
// first, one at a time, in the second-level cache.
#pragma once

#include "conv2d_bf16_taps.h"
#include "conv2d_planes.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Operands of a run: images, filters of PairedFilters, bias (or nullptr) per feature plane.
struct CorrelationBf16Data {
  const float* image;
  const Pair* filters;
  const float* bias;
  float* features;
  Bounds bounds;
};

class CorrelationBf16 {
 public:
  CorrelationBf16(const Conv2dShape& shape, int threads)
      : shape_(shape),
        filters_(shape),
        threads_(threads),
        chunks_(divide_up(shape.pixels(), kChunk)),
        height_((shape.height.features - 1) * shape.height.stride + (shape.height.taps - 1) * shape.height.dilation +
                1),
        width_((shape.width.features - 1) * shape.width.stride + (shape.width.taps - 1) * shape.width.dilation + 2) {}

  const PairedFilters& filters() const { return filters_; }

  size_t scratch() const {
    Scratch scratch(nullptr);
    Tables(scratch, *this);
    for (int i = 0; i < threads_; ++i) Room(scratch, *this);
    return scratch.bytes();
  }

  void run(const Run& run, const CorrelationBf16Data& data) const {
    Scratch shared(run.scratch);
    const Tables tables(shared, *this);
    fill(tables);
    on_every_thread(run.threads, [&](int thread, int threads) {
      Scratch scratch = shared;
      for (int i = 0; i < thread; ++i) Room(scratch, *this);
      const Room room(scratch, *this);
      const Part part = part_of(shape_.images * chunks_, thread, threads);
      for (int64_t first = part.begin; first < part.end;) {
        const int64_t image = first / chunks_, last = smaller(part.end, (image + 1) * chunks_);
        for (int64_t group = 0; group < shape_.groups; ++group) {
          open(data.image, room, image, group);
          for (int64_t chunk = first; chunk < last; ++chunk)
            multiply(data, tables, room, image, group, chunk % chunks_);
        }
        first = last;
      }
    });
  }

 private:
  static constexpr int64_t kChunk = 128;  // pixels whose products wait in the first-level cache
  static constexpr int64_t kDepth = 256;  // pairs summed in registers at once

  /// Distance of each pair of taps from a pixel; place of each pixel in a laid out image.
  struct Tables {
    int64_t *at, *pixel;
    Tables(Scratch& scratch, const CorrelationBf16& c)
        : at(scratch.take<int64_t>(c.filters_.taps.count())), pixel(scratch.take<int64_t>(c.shape_.pixels())) {}
  };

  /// A thread's own scratch: a laid out image, and a vector that its last row may be longer by; a chunk's product with
  /// one panel.
  struct Room {
    uint16_t* image;
    float* products;
    Room(Scratch& scratch, const CorrelationBf16& c)
        : image(scratch.take<uint16_t>(c.filters_.taps.planes() * c.plane() + 2 * kLanes)),
          products(scratch.take<float>(kChunk * kPanel)) {}
  };

  int64_t row() const { return width_ * filters_.taps.side(); }
  int64_t plane() const { return height_ * row(); }

  void fill(const Tables& tables) const {
    int64_t *at = tables.at, *pixel = tables.pixel;
    filters_.taps.each([&](int64_t plane, int64_t r, int64_t s, int64_t, int64_t, int64_t) {
      *at++ =
          plane * this->plane() + r * shape_.height.dilation * row() + s * shape_.width.dilation * filters_.taps.side();
    });
    for (int64_t y = 0; y < shape_.height.features; ++y) {
      for (int64_t x = 0; x < shape_.width.features; ++x) {
        *pixel++ = y * shape_.height.stride * row() + x * shape_.width.stride * filters_.taps.side();
      }
    }
  }

  /// Lays out a group's channels of an image, in a frame of zeros.
  void open(const float* images, const Room& room, int64_t image, int64_t group) const {
    const int64_t size = shape_.height.image * shape_.width.image, side = filters_.taps.side();
    const float* from = images + (image * shape_.groups + group) * shape_.channels * size;
    const int64_t rows = larger(0, smaller(shape_.height.image, height_ - shape_.height.pad)),
                  columns = larger(0, smaller(shape_.width.image, width_ - shape_.width.pad));
    memset(room.image, 0, static_cast<size_t>(filters_.taps.planes() * plane()) * sizeof(uint16_t));
    for (int64_t p = 0; p < filters_.taps.planes(); ++p) {
      const float* low = from + p * side * size;
      const float* high = side == 2 && 2 * p + 1 < shape_.channels ? low + size : nullptr;
      for (int64_t y = 0; y < rows; ++y) {
        uint16_t* to = room.image + p * plane() + (y + shape_.height.pad) * row() + shape_.width.pad * side;
        const int64_t place = y * shape_.width.image;
        if (side == 1) {
          round_row(low + place, columns, to);
        } else {
          pair_rows(low + place, high == nullptr ? nullptr : high + place, columns, reinterpret_cast<Pair*>(to));
        }
      }
    }
  }

  void multiply(const CorrelationBf16Data& data, const Tables& tables, const Room& room, int64_t image, int64_t group,
                int64_t chunk) const {
    // Chunks are as even as can be, and begin at whole tiles.
    const int64_t tiles = divide_up(shape_.pixels(), kTileRows);
    const Part part = part_of(tiles, chunk, chunks_);
    const int64_t first = part.begin * kTileRows, count = smaller(shape_.pixels(), part.end * kTileRows) - first;
    const Panels& panels = filters_.panels;
    for (int64_t panel = 0; panel < panels.count; ++panel) {
      const int64_t width = panels.width(panel), filter = group * shape_.filters + panels.begin(panel);
      const OutputPlanes output{data.features + (image * shape_.groups * shape_.filters + filter) * shape_.pixels(),
                                shape_.pixels(), panels.lanes(panel),
                                data.bias == nullptr ? nullptr : data.bias + filter, data.bounds};
      multiply_panel(data.filters + filters_.place(group, panel), width, tables, room, output, first, count);
      for (int64_t pixel = 0; pixel < count; pixel += kLanes) {
        output.put(room.products + pixel * width, width, smaller(kLanes, count - pixel), first + pixel);
      }
    }
  }

  void multiply_panel(const Pair* filters, int64_t width, const Tables& tables, const Room& room,
                      const OutputPlanes& output, int64_t first, int64_t count) const {
    const int64_t pairs = filters_.taps.count(), steps = divide_up(pairs, kDepth);
    for (int64_t step = 0; step < steps; ++step) {
      const Part depth = part_of(pairs, step, steps);
      for (int64_t pixel = 0; pixel < count;) {
        const int height = tile_height(count - pixel);
        PairTile tile{{},
                      tables.at + depth.begin,
                      depth.end - depth.begin,
                      {filters + depth.begin * width, width},
                      {room.products + pixel * width, width, step > 0},
                      {}};
        for (int i = 0; i < height; ++i) tile.a.row[i] = room.image + tables.pixel[first + pixel + i];
        if (step == 0) output.call(pixel, count, [&](int64_t last) { return first + last; });
        multiply_pairs(height, width, tile);
        pixel += height;
      }
    }
  }

  Conv2dShape shape_;
  PairedFilters filters_;
  int threads_;
  int64_t chunks_;  // of an image's pixels
  // Of a laid out image: as far as windows reach, and where neighbouring taps are paired one column further.
  int64_t height_, width_;
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
