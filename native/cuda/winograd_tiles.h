// Winograd's transforms on a GPU: a thread has a tile, or a filter, and its neighbours the next ones, so that what they
// read and write lies together. Numbers at the points lie point by point, of each point by planes (channels of all
// groups) and tiles. An index of 32 bits counts to all that Winograd::takes.
#pragma once

#include <algorithm>

#include "../kernels/winograd.h"
#include "bias.h"
#include "index.h"

namespace cortado::cuda {

/// Planes of some images, channels first.
struct Maps {
  int64_t planes, height, width;
  __host__ __device__ int64_t size() const { return planes * height * width; }
};

/// How images are cut into tiles, of so many outputs each way, which are numbered image by image and row by row. So
/// many of them are in a row of a product, and so many rows of each plane at the points at a time: more than one where
/// tiles are added up.
struct Tiles {
  int64_t images, outputs, down, across, count, rows = 1;

  Tiles(int64_t images, const Maps& maps, int64_t outputs)
      : images(images),
        outputs(outputs),
        down((maps.height + outputs - 1) / outputs),
        across((maps.width + outputs - 1) / outputs),
        count(all()) {}
  int64_t all() const { return images * down * across; }
  int64_t at_a_time() const { return count * rows; }
  int64_t parts() const { return (all() + count - 1) / count; }
  /// At most so many at a time, in equal parts. Rows of a product begin where four numbers can be loaded at once.
  void divide(int64_t most) {
    count = std::min(most, all());
    count = ((all() + parts() - 1) / parts() + 3) / 4 * 4;
  }
  /// At most so many rows at a time, as many each time.
  void collect(int64_t most) {
    const int64_t times = (parts() + most - 1) / most;
    rows = (parts() + times - 1) / times;
  }
};

/// Where a tile's outputs begin.
struct TilePlace {
  int32_t plane, image, row, column;
};

struct TilePlaces {
  using I = int32_t;
  I first, outputs, down, across, count, planes, numbers;
  Divisor<I> by_count, by_planes, by_image, by_across;

  TilePlaces(const Tiles& t, int64_t first, int64_t planes)
      : first(static_cast<I>(first)),
        outputs(static_cast<I>(t.outputs)),
        down(static_cast<I>(t.down)),
        across(static_cast<I>(t.across)),
        count(static_cast<I>(t.count)),
        planes(static_cast<I>(planes)),
        numbers(static_cast<I>(planes * t.at_a_time())),
        by_count(t.count),
        by_planes(planes),
        by_image(t.down * t.across),
        by_across(t.across) {}
  /// Of number i of the `numbers` at a point, from tile `first` on. Behind the last image there may be more.
  __device__ TilePlace operator()(I i) const {
    const I line = by_count(i), row_of_tiles = by_planes(line);
    const I tile = first + row_of_tiles * count + (i - line * count), image = by_image(tile);
    const I inside = tile - image * (down * across), row = by_across(inside);
    return {line - row_of_tiles * planes, image, row * outputs, (inside - row * across) * outputs};
  }
};

/// Tiles of maps at the points: of a source, which a tile's pixels begin `pad` before its outputs, or of the features
/// themselves. Pixels outside are 0, and so are tiles behind the last image.
template <class Transform>
struct TilesAtPoints {
  using I = int32_t;
  TilePlaces places;
  I images, height, width, pad_h, pad_w;
  const float* from;
  float* to;

  TilesAtPoints(const Tiles& tiles, int64_t first, const Maps& maps, int64_t pad_h, int64_t pad_w, const float* from,
                float* to)
      : places(tiles, first, maps.planes),
        images(static_cast<I>(tiles.images)),
        height(static_cast<I>(maps.height)),
        width(static_cast<I>(maps.width)),
        pad_h(static_cast<I>(pad_h)),
        pad_w(static_cast<I>(pad_w)),
        from(from),
        to(to) {}
  __device__ void operator()(I i) const {
    const TilePlace tile = places(i);
    const I top = tile.image < images ? tile.row - pad_h : height, left = tile.column - pad_w;
    const I first = ((tile.image * places.planes + tile.plane) * height + top) * width + left;
    transform_square<Transform>(
        [&](int y, int x) {
          const bool inside = top + y >= 0 && top + y < height && left + x >= 0 && left + x < width;
          return inside ? from[first + y * width + x] : 0.0f;
        },
        [&](int y, int x, float v) { to[(y * Transform::kOut + x) * places.numbers + i] = v; });
  }
};

/// Outputs of tiles, from the points.
template <int Tile, int M>
struct TilesFromPoints {
  using I = int32_t;
  TilePlaces places;
  I images, height, width;
  const float* from;
  float* to;
  Epilogue epilogue;

  TilesFromPoints(const Tiles& tiles, int64_t first, const Maps& maps, const float* from, float* to,
                  const Epilogue& epilogue)
      : places(tiles, first, maps.planes),
        images(static_cast<I>(tiles.images)),
        height(static_cast<I>(maps.height)),
        width(static_cast<I>(maps.width)),
        from(from),
        to(to),
        epilogue(epilogue) {}
  __device__ void operator()(I i) const {
    const TilePlace tile = places(i);
    if (tile.image >= images) return;
    const int rows = static_cast<int>(height - tile.row), columns = static_cast<int>(width - tile.column);
    float* const first = to + (((tile.image * places.planes + tile.plane) * height + tile.row) * width + tile.column);
    // Read once: what is written in between might be the bias, as far as a compiler knows.
    const float bias = epilogue.bias ? epilogue.bias[tile.plane] : 0.0f;
    transform_square<FromPoints<Tile, M>>([&](int y, int x) { return from[(y * Tile + x) * places.numbers + i]; },
                                          [&](int y, int x, float v) {
                                            if (y < rows && x < columns)
                                              first[y * width + x] = epilogue.rectified(v + bias);
                                          });
  }
};

/// Filters at the points, with Lagrange's denominators; turned round for the gradient of the image.
template <int Tile, int R>
struct FiltersAtPoints {
  int32_t count;
  bool turned;
  const float* from;
  float* to;

  __device__ void operator()(int32_t i) const {
    transform_square<AtPoints<Tile, R>>(
        [&](int y, int x) { return from[i * (R * R) + (turned ? R * R - 1 - (y * R + x) : y * R + x)]; },
        [&](int y, int x, float v) { to[(y * Tile + x) * count + i] = v * lagrange<Tile>(y, x); });
  }
};

/// At each point, the sums of all rows of tiles in the place of the first one's.
struct RowsTogether {
  int32_t count, rows;
  Divisor<int32_t> by_count;
  float* sums;

  RowsTogether(int64_t count, int64_t rows, float* sums)
      : count(static_cast<int32_t>(count)), rows(static_cast<int32_t>(rows)), by_count(count), sums(sums) {}
  __device__ void operator()(int32_t i) const {
    const int32_t point = by_count(i);
    float* const first = sums + (point * (rows - 1) * count + i);
    float sum = *first;
    for (int32_t row = 1; row < rows; ++row) sum += first[row * count];
    *first = sum;
  }
};

/// Gradients of filters, from the points, which are so many numbers apart.
template <int Tile, int R>
struct FiltersFromPoints {
  int32_t apart;
  const float* from;
  float* to;

  __device__ void operator()(int32_t i) const {
    transform_square<FromPoints<Tile, R>>(
        [&](int y, int x) { return from[(y * Tile + x) * apart + i] * lagrange<Tile>(y, x); },
        [&](int y, int x, float v) { to[i * (R * R) + y * R + x] = v; });
  }
};

}  // namespace cortado::cuda
