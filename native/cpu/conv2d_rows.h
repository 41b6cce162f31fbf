// A convolution of few channels, row by row of the output.
//
// conv2d_correlation.h has filters in lanes: its sums leave the registers, wait in a cache and are turned round on
// their way to the planes. Where few taps add up, that costs a good part of the products. Here pixels are in lanes and
// the sums go where they belong, if a row of them fills its vectors. Both add up in the same order, to the same bits.
#pragma once

#include "conv2d_correlation.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Some pixels of a row of the output in some of its planes: what a tile of R planes and V vectors of pixels needs.
struct RowTile {
  const float *weight, *bias;  // of the first plane; bias may be nullptr
  const float* source;         // of the first pixel's first tap
  const int64_t* at;           // distance of each (channel, tap) from there
  int64_t depth;               // (channel, tap), and the weights of a plane
  float* output;
  int64_t plane, pixels;  // distance of planes, pixels that exist
  Bounds bounds;
};

template <int R, int V>
__attribute__((noinline)) void multiply_row(const RowTile& tile) {
  Vf sum[R][V] = {};
  const float *row[R], *const source = tile.source;
  const int64_t depth = tile.depth, *const at = tile.at;
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) row[i] = tile.weight + i * depth;
  for (int64_t k = 0; k < depth; ++k) {
    const float* from = source + at[k];
    Vf right[V];
#pragma GCC unroll 3
    for (int j = 0; j < V; ++j) right[j] = load(from + j * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      const Vf left = splat(row[i][k]);
#pragma GCC unroll 3
      for (int j = 0; j < V; ++j) sum[i][j] = fma(left, right[j], sum[i][j]);
    }
  }
  const Bounds bounds = tile.bounds;
  float* to = tile.output;
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i, to += tile.plane) {
    const Vf bias = tile.bias == nullptr ? zero() : splat(tile.bias[i]);
#pragma GCC unroll 3
    for (int j = 0; j < V; ++j) {
      const Vf v = tile.bias == nullptr ? sum[i][j] : sum[i][j] + bias;
      store_lanes(to + j * kLanes, bounds.hold(v), j + 1 < V ? kLanes : tile.pixels - (V - 1) * kLanes);
    }
  }
}

template <int R>
CORTADO_INLINE void multiply_row(int64_t vectors, const RowTile& tile) {
  if constexpr (kTileVectors > 2) {
    if (vectors == 3) return multiply_row<R, 3>(tile);
  }
  if (vectors == 2) return multiply_row<R, 2>(tile);
  multiply_row<R, 1>(tile);
}

CORTADO_INLINE void multiply_row(int height, int64_t vectors, const RowTile& tile) {
  with_height(height, [&]<int Rows>() { multiply_row<Rows>(vectors, tile); });
}

class RowCorrelation {
 public:
  RowCorrelation(const Conv2dShape& shape, bool backward, int threads)
      : shape_(shape),
        backward_(backward),
        row_(shape.width.features),
        frame_width_(row_.padded() + (shape.width.taps - 1) * shape.width.dilation),
        bands_(divide_up(shape.height.features, larger(1, kFrame / (shape.channels * frame_width_)))) {
    bands_ = smaller(shape.height.features, larger(bands_, divide_up(threads, shape.images * shape.groups)));
  }

  bool fits() const { return !backward_ && shape_.height.stride == 1 && shape_.width.stride == 1; }

  size_t scratch(int threads) const {
    Scratch scratch(nullptr);
    for (int i = 0; i < threads; ++i) Room(scratch, *this);
    return scratch.bytes();
  }

  void run(const Run& run, const CorrelationData& data) const {
    on_every_thread(run.threads, [&](int thread, int threads) {
      Scratch scratch(run.scratch);
      for (int i = 0; i < thread; ++i) Room(scratch, *this);
      const Room room(scratch, *this);
      fill_distances(room);
      const Part units = part_of(shape_.images * shape_.groups * bands_, thread, threads);
      for (int64_t unit = units.begin; unit < units.end; ++unit) multiply_band(data, room, unit);
    });
  }

 private:
  static constexpr int64_t kFrame = 4096;  // numbers of a band of the image, at most, beside the taps' own rows

  /// A thread's own scratch.
  struct Room {
    int64_t* at;   // distance of each (channel, tap) from a pixel
    float* frame;  // a band of an image, with zeros around it
    Room(Scratch& scratch, const RowCorrelation& c)
        : at(scratch.take<int64_t>(c.depth())), frame(scratch.take<float>(c.shape_.channels * c.frame())) {}
  };

  int64_t depth() const { return shape_.channels * shape_.taps(); }
  int64_t frame_height() const {
    return divide_up(shape_.height.features, bands_) + (shape_.height.taps - 1) * shape_.height.dilation;
  }
  int64_t frame() const { return frame_height() * frame_width_; }

  void fill_distances(const Room& room) const {
    int64_t* at = room.at;
    for (int64_t channel = 0; channel < shape_.channels; ++channel) {
      for (int64_t r = 0; r < shape_.height.taps; ++r) {
        const int64_t row = channel * frame() + r * shape_.height.dilation * frame_width_;
        for (int64_t s = 0; s < shape_.width.taps; ++s) *at++ = row + s * shape_.width.dilation;
      }
    }
  }

  /// Rows of the output of one group of one image, all of its planes.
  void multiply_band(const CorrelationData& data, const Room& room, int64_t unit) const {
    const Part rows = part_of(shape_.height.features, unit % bands_, bands_);
    const int64_t group = unit / bands_ % shape_.groups, source_plane = shape_.height.image * shape_.width.image;
    open_band(data.source + unit / bands_ * shape_.channels * source_plane, rows.begin, room);
    for (int64_t plane = 0; plane < shape_.filters;) {
      const int height = tile_height(shape_.filters - plane);
      const int64_t filter = group * shape_.filters + plane;
      float* output = data.output + (unit / bands_ * shape_.filters + plane) * shape_.pixels();
      for (int64_t y = rows.begin; y < rows.end; ++y) {
        for (int64_t panel = 0; panel < row_.count; ++panel) {
          const int64_t x = row_.begin(panel);
          multiply_row(height, row_.width(panel) / kLanes,
                       {data.weight + filter * depth(), data.bias == nullptr ? nullptr : data.bias + filter,
                        room.frame + (y - rows.begin) * frame_width_ + x, room.at, depth(),
                        output + y * shape_.width.features + x, shape_.pixels(), row_.lanes(panel), data.bounds});
        }
      }
      plane += height;
    }
  }

  /// What the rows from `first` on see of the image.
  void open_band(const float* image, int64_t first, const Room& room) const {
    const int64_t begin = first - shape_.height.pad, above = larger(0, begin);
    for (int64_t channel = 0; channel < shape_.channels; ++channel) {
      const float* plane = image + (channel * shape_.height.image + above) * shape_.width.image;
      copy_framed(plane, 1, larger(0, shape_.height.image - above), shape_.width.image, smaller(0, begin),
                  -shape_.width.pad, room.frame + channel * frame(), frame_height(), frame_width_);
    }
  }

  Conv2dShape shape_;
  bool backward_;
  Panels row_;  // of the output, in vectors
  int64_t frame_width_, bands_;
};

using Conv2dRows = CorrelationStep<RowCorrelation, false, true>;

}  // namespace
}  // namespace cortado::CORTADO_ISA
