// Winograd's minimal filtering F(4, 5) where the image has few channels, as a net's first layer does: with tiles in
// lanes, where vectors of channels would be mostly empty. winograd_transform.h has the arithmetic.
#pragma once

#include "conv2d_shape.h"
#include "winograd_transform.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Of a tile, each way: pixels and points, outputs, and the filters' taps.
constexpr int kShallowTile = 8, kShallowOutputs = 4, kShallowTaps = kShallowTile + 1 - kShallowOutputs;
constexpr int64_t kShallowPoints = points_of(kShallowTile);

/// Some rows of tiles of an image. They are counted row after row; lane l of vector v is tile v * kLanes + l.
struct ShallowBand {
  int64_t image, row, rows;
};

/// The tiles of a batch, cut into bands.
struct ShallowTiling {
  Conv2dShape shape;
  int64_t across, down, rows;  // tiles of an image; rows of tiles of a band

  /// Bands of about `tiles` tiles.
  CORTADO_INLINE ShallowTiling(const Conv2dShape& shape, int64_t tiles)
      : shape(shape),
        across(divide_up(shape.width.features, kShallowOutputs)),
        down(divide_up(shape.height.features, kShallowOutputs)),
        rows(larger(1, smaller(down, tiles / across))) {}

  CORTADO_INLINE bool fits() const {
    const auto plain = [](const Extent& e) { return e.stride == 1 && e.dilation == 1 && e.taps == kShallowTaps; };
    return shape.groups == 1 && plain(shape.height) && plain(shape.width);
  }
  CORTADO_INLINE int64_t per_image() const { return divide_up(down, rows); }
  CORTADO_INLINE int64_t bands() const { return shape.images * per_image(); }
  CORTADO_INLINE ShallowBand band(int64_t index) const {
    const int64_t row = index % per_image() * rows;
    return {index / per_image(), row, smaller(rows, down - row)};
  }
  /// Of the largest band.
  CORTADO_INLINE int64_t tiles() const { return rows * across; }
};

/// Where the outputs of a vector of tiles, the one from `first` on in a band, lie in their plane.
class ShallowPlaces {
 public:
  ShallowPlaces(const ShallowTiling& tiling, const ShallowBand& band, int64_t first)
      : width_(tiling.shape.width.features), count_(smaller(kLanes, band.rows * tiling.across - first)) {
    const int64_t height = tiling.shape.height.features, across = tiling.across;
    whole_ = height % kShallowOutputs == 0 && width_ % kShallowOutputs == 0 && across % kTogether == 0;
    for (int64_t lane = 0; lane < count_; ++lane) {
      const int64_t top = (band.row + (first + lane) / across) * kShallowOutputs,
                    left = (first + lane) % across * kShallowOutputs;
      at_[lane] = top * width_ + left;
      rows_[lane] = height - top;
      columns_[lane] = smaller(kShallowOutputs, width_ - left);
    }
  }

  /// Calls the lines that all outputs of a plane will be written to.
  CORTADO_INLINE void call(const float* plane) const {
    for (int64_t lane = 0; lane < count_; lane += kTogether) {
#pragma GCC unroll 4
      for (int64_t row = 0; row < kShallowOutputs; ++row) {
        __builtin_prefetch(plane + at_[lane] + smaller(row, rows_[lane] - 1) * width_, 1);
      }
    }
  }

  /// Outputs (row, j) of each tile.
  CORTADO_INLINE void put(int64_t row, const Vf (&v)[kShallowOutputs], float* plane) const {
    const AllLanes all;
    const Vf even[2] = {interleave<0>(v[0], v[2], all), interleave<1>(v[0], v[2], all)};
    const Vf odd[2] = {interleave<0>(v[1], v[3], all), interleave<1>(v[1], v[3], all)};
    const Vf line[kShallowOutputs] = {interleave<0>(even[0], odd[0], all), interleave<1>(even[0], odd[0], all),
                                      interleave<0>(even[1], odd[1], all), interleave<1>(even[1], odd[1], all)};
    if (whole_) {
#pragma GCC unroll 4
      for (int64_t i = 0; i < kShallowOutputs; ++i) {
        if (i * kTogether < count_) store(plane + at_[i * kTogether] + row * width_, line[i]);
      }
      return;
    }
    float pixels[kShallowOutputs * kLanes];
#pragma GCC unroll 4
    for (int64_t i = 0; i < kShallowOutputs; ++i) store(pixels + i * kLanes, line[i]);
    for (int64_t lane = 0; lane < count_; ++lane) {
      float* to = plane + at_[lane] + row * width_;
      const float* from = pixels + lane * kShallowOutputs;
      if (row >= rows_[lane]) continue;
      if (columns_[lane] == kShallowOutputs) {
        memcpy(to, from, kShallowOutputs * sizeof(float));
      } else {
        for (int64_t j = 0; j < columns_[lane]; ++j) to[j] = from[j];
      }
    }
  }

 private:
  /// Tiles whose outputs of a row fill a vector.
  static constexpr int64_t kTogether = kLanes / kShallowOutputs;

  int64_t width_, count_;
  bool whole_;  // no tile, and none of these vectors, leaves its row
  int64_t at_[kLanes], rows_[kLanes], columns_[kLanes];
};

/// A band of an image on its way to the points.
class ShallowSource {
 public:
  explicit ShallowSource(const ShallowTiling& tiling)
      : tiling_(tiling),
        channels_(tiling.shape.channels),
        line_(kShallowOutputs * round_up(tiling.across, kLanes) + 16),
        list_(round_up((tiling.rows + 1) * tiling.across + kLanes, 16)) {}

  /// Floats of a band's pixels.
  int64_t pixels() const { return frame() + channels_ * kShallowOutputs * kShallowTile * list_; }
  /// Floats of a vector of tiles at the points, which lie as (column of points, channel, row of points, lane).
  int64_t vector() const { return kShallowPoints * channels_ * kLanes; }
  int64_t at(int64_t row, int64_t column, int64_t channel) const {
    return ((column * channels_ + channel) * kShallowTile + row) * kLanes;
  }

  /// Lays pixel (i, j) of all of a band's tiles side by side; what lies outside the image is zero. Tiles overlap by
  /// what is more than their outputs: pixel (i + 4, j) of a tile is pixel (i, j) of the one below.
  void open(const float* images, const ShallowBand& band, float* pixels) const {
    const Extent &height = tiling_.shape.height, &width = tiling_.shape.width;
    const int64_t begin = band.row * kShallowOutputs - height.pad, above = larger(0, begin);
    const int64_t rows = kShallowOutputs * band.rows + kShallowTile - kShallowOutputs;
    float *frame = pixels, *lists = pixels + this->frame();
    for (int64_t c = 0; c < channels_; ++c) {
      const float* plane = images + ((band.image * channels_ + c) * height.image + above) * width.image;
      copy_framed(plane, 1, larger(0, height.image - above), width.image, smaller(0, begin), -width.pad, frame, rows,
                  line_);
      for (int64_t y = 0; y < rows; ++y) {
        spread(frame + y * line_, list(lists, c, y, 0) + y / kShallowOutputs * tiling_.across);
      }
      // The lanes beyond the last tile.
      for (int64_t i = 0; i < kShallowOutputs; ++i) {
        for (int64_t j = 0; j < kShallowTile; ++j) {
          store(list(lists, c, i, j) + (band.rows + 1) * tiling_.across, zero());
        }
      }
    }
  }

  /// A vector of the band's tiles to the points.
  void transform(const float* pixels, int64_t vector, float* to) const {
    const float* lists = pixels + frame() + vector * kLanes;
    for (int64_t c = 0; c < channels_; ++c) {
      transform_square<Interpolate<kShallowTile>>(
          [&](int i, int j) { return load(list(lists, c, i, j) + i / kShallowOutputs * tiling_.across); },
          [&](int i, int j, Vf v) { store(to + at(i, j, c), v); });
    }
  }

 private:
  int64_t frame() const { return (kShallowOutputs * (tiling_.rows + 1)) * line_; }

  template <class T>
  CORTADO_INLINE T* list(T* lists, int64_t channel, int64_t row, int64_t column) const {
    return lists + ((channel * kShallowOutputs + row % kShallowOutputs) * kShallowTile + column) * list_;
  }

  /// Pixels j, j + 4, j + 8, ... of a row to the list of pixel j of all tiles. Whole vectors are written: what is
  /// beyond the row is that of the next, which comes later.
  CORTADO_INLINE void spread(const float* line, float* to) const {
    const AllLanes all;
    for (int64_t j = 0; j < kShallowTile; j += kShallowOutputs) {
      for (int64_t t = 0; t < tiling_.across; t += kLanes) {
        Vf v[kShallowOutputs];
#pragma GCC unroll 4
        for (int i = 0; i < kShallowOutputs; ++i) v[i] = load(line + kShallowOutputs * t + j + i * kLanes);
        const Vf even[2] = {every_second<0>(v[0], v[1], all), every_second<0>(v[2], v[3], all)};
        const Vf odd[2] = {every_second<1>(v[0], v[1], all), every_second<1>(v[2], v[3], all)};
        float* place = to + j * list_ + t;
        store(place, every_second<0>(even[0], even[1], all));
        store(place + list_, every_second<0>(odd[0], odd[1], all));
        store(place + 2 * list_, every_second<1>(even[0], even[1], all));
        store(place + 3 * list_, every_second<1>(odd[0], odd[1], all));
      }
    }
  }

  ShallowTiling tiling_;
  int64_t channels_;
  int64_t line_, list_;  // floats of a row with its frame; of a list of one pixel of all tiles
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
