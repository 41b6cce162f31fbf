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
/// many of them are at the points at a time.
struct Tiles {
  int64_t images, outputs, down, across, count;

  Tiles(int64_t images, const Maps& maps, int64_t outputs)
      : images(images),
        outputs(outputs),
        down((maps.height + outputs - 1) / outputs),
        across((maps.width + outputs - 1) / outputs),
        count(all()) {}
  int64_t all() const { return images * down * across; }
  int64_t parts() const { return (all() + count - 1) / count; }
  /// At most so many at a time, in equal parts. Rows of a product begin where four numbers can be loaded at once.
  void divide(int64_t most) {
    count = std::min(most, all());
    count = ((all() + parts() - 1) / parts() + 3) / 4 * 4;
  }
};

/// Where a tile's outputs begin.
struct TilePlace {
  int32_t plane, image, row, column;
};

struct TilePlaces {
  using I = int32_t;
  I first, outputs, down, across, count;
  Divisor<I> by_count, by_image, by_across;

  TilePlaces(const Tiles& t, int64_t first)
      : first(static_cast<I>(first)),
        outputs(static_cast<I>(t.outputs)),
        down(static_cast<I>(t.down)),
        across(static_cast<I>(t.across)),
        count(static_cast<I>(t.count)),
        by_count(t.count),
        by_image(t.down * t.across),
        by_across(t.across) {}
  /// Of number i of a point in the part that begins with tile `first`. Behind the last image there may be more.
  __device__ TilePlace operator()(I i) const {
    const I plane = by_count(i), tile = first + (i - plane * count), image = by_image(tile);
    const I inside = tile - image * (down * across), row = by_across(inside);
    return {plane, image, row * outputs, (inside - row * across) * outputs};
  }
};

/// Tiles of maps at the points: of a source, which a tile's pixels begin `pad` before its outputs, or of the features
/// themselves. Pixels outside are 0, and so are tiles behind the last image.
template <class Transform>
struct TilesAtPoints {
  using I = int32_t;
  TilePlaces places;
  I images, planes, height, width, pad_h, pad_w;
  const float* from;
  float* to;

  TilesAtPoints(const Tiles& tiles, int64_t first, const Maps& maps, int64_t pad_h, int64_t pad_w, const float* from,
                float* to)
      : places(tiles, first),
        images(static_cast<I>(tiles.images)),
        planes(static_cast<I>(maps.planes)),
        height(static_cast<I>(maps.height)),
        width(static_cast<I>(maps.width)),
        pad_h(static_cast<I>(pad_h)),
        pad_w(static_cast<I>(pad_w)),
        from(from),
        to(to) {}
  __device__ void operator()(I i) const {
    const TilePlace tile = places(i);
    const I top = tile.image < images ? tile.row - pad_h : height, left = tile.column - pad_w;
    const I first = ((tile.image * planes + tile.plane) * height + top) * width + left, points = planes * places.count;
    transform_square<Transform>(
        [&](int y, int x) {
          const bool inside = top + y >= 0 && top + y < height && left + x >= 0 && left + x < width;
          return inside ? from[first + y * width + x] : 0.0f;
        },
        [&](int y, int x, float v) { to[(y * Transform::kOut + x) * points + i] = v; });
  }
};

/// Outputs of tiles, from the points.
template <int Tile, int M>
struct TilesFromPoints {
  using I = int32_t;
  TilePlaces places;
  I images, planes, height, width;
  const float* from;
  float* to;
  Epilogue epilogue;

  TilesFromPoints(const Tiles& tiles, int64_t first, const Maps& maps, const float* from, float* to,
                  const Epilogue& epilogue)
      : places(tiles, first),
        images(static_cast<I>(tiles.images)),
        planes(static_cast<I>(maps.planes)),
        height(static_cast<I>(maps.height)),
        width(static_cast<I>(maps.width)),
        from(from),
        to(to),
        epilogue(epilogue) {}
  __device__ void operator()(I i) const {
    const TilePlace tile = places(i);
    if (tile.image >= images) return;
    const I points = planes * places.count;
    const int rows = static_cast<int>(height - tile.row), columns = static_cast<int>(width - tile.column);
    float* const first = to + (((tile.image * planes + tile.plane) * height + tile.row) * width + tile.column);
    // Read once: what is written in between might be the bias, as far as a compiler knows.
    const float bias = epilogue.bias ? epilogue.bias[tile.plane] : 0.0f;
    transform_square<FromPoints<Tile, M>>([&](int y, int x) { return from[(y * Tile + x) * points + i]; },
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

/// Gradients of filters, from the points.
template <int Tile, int R>
struct FiltersFromPoints {
  int32_t count;
  const float* from;
  float* to;

  __device__ void operator()(int32_t i) const {
    transform_square<FromPoints<Tile, R>>(
        [&](int y, int x) { return from[(y * Tile + x) * count + i] * lagrange<Tile>(y, x); },
        [&](int y, int x, float v) { to[i * (R * R) + y * R + x] = v; });
  }
};

}  // namespace cortado::cuda
