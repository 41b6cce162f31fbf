// Winograd's transforms on a GPU: a thread has a tile, or a filter, and its neighbours the next ones, so that what they
// read and write lies together. Numbers at the points lie point by point, of each point by planes (channels of all
// groups) and tiles.
#pragma once

#include "../kernels/winograd.h"
#include "bias.h"
#include "index.h"

namespace cortado::cuda {

/// Planes of some images, channels first.
struct Maps {
  int64_t planes, height, width;
  __host__ __device__ int64_t size() const { return planes * height * width; }
};

/// How images are cut into tiles, of so many outputs each way. They lie together image by image and row by row; what
/// fills their number up lies behind.
struct Tiles {
  int64_t outputs, down, across, count;

  /// Rows of a product begin where four numbers can be loaded at once.
  static Tiles of(int64_t images, int64_t height, int64_t width, int64_t outputs) {
    const int64_t down = (height + outputs - 1) / outputs, across = (width + outputs - 1) / outputs;
    return {outputs, down, across, (images * down * across + 3) / 4 * 4};
  }
  int64_t of_image() const { return down * across; }
};

/// Where a tile's outputs begin.
template <class I>
struct TilePlace {
  I plane, image, row, column;
};

template <class I>
struct TilePlaces {
  I outputs, down, across, count;
  Divisor<I> by_count, by_image, by_across;

  explicit TilePlaces(const Tiles& t)
      : outputs(static_cast<I>(t.outputs)),
        down(static_cast<I>(t.down)),
        across(static_cast<I>(t.across)),
        count(static_cast<I>(t.count)),
        by_count(t.count),
        by_image(t.of_image()),
        by_across(t.across) {}
  /// Of number i of a point. Behind the last image there may be more.
  __device__ TilePlace<I> operator()(I i) const {
    const I plane = by_count(i), tile = i - plane * count, image = by_image(tile);
    const I inside = tile - image * (down * across), row = by_across(inside);
    return {plane, image, row * outputs, (inside - row * across) * outputs};
  }
};

/// Tiles of maps at the points: of a source, which a tile's pixels begin `pad` before its outputs, or of the features
/// themselves. Pixels outside are 0, and so are tiles behind the last image.
template <class Transform, class I>
struct TilesAtPoints {
  TilePlaces<I> places;
  I images, planes, height, width, pad_h, pad_w;
  const float* from;
  float* to;

  TilesAtPoints(const Tiles& tiles, const Maps& maps, int64_t images, int64_t pad_h, int64_t pad_w, const float* from,
                float* to)
      : places(tiles),
        images(static_cast<I>(images)),
        planes(static_cast<I>(maps.planes)),
        height(static_cast<I>(maps.height)),
        width(static_cast<I>(maps.width)),
        pad_h(static_cast<I>(pad_h)),
        pad_w(static_cast<I>(pad_w)),
        from(from),
        to(to) {}
  __device__ void operator()(I i) const {
    const TilePlace<I> tile = places(i);
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
template <int Tile, int M, class I>
struct TilesFromPoints {
  TilePlaces<I> places;
  I images, planes, height, width;
  const float* from;
  float* to;
  Epilogue epilogue;

  TilesFromPoints(const Tiles& tiles, const Maps& maps, int64_t images, const float* from, float* to,
                  const Epilogue& epilogue)
      : places(tiles),
        images(static_cast<I>(images)),
        planes(static_cast<I>(maps.planes)),
        height(static_cast<I>(maps.height)),
        width(static_cast<I>(maps.width)),
        from(from),
        to(to),
        epilogue(epilogue) {}
  __device__ void operator()(I i) const {
    const TilePlace<I> tile = places(i);
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
template <int Tile, int R, class I>
struct FiltersAtPoints {
  I count;
  bool turned;
  const float* from;
  float* to;

  __device__ void operator()(I i) const {
    transform_square<AtPoints<Tile, R>>(
        [&](int y, int x) { return from[i * (R * R) + (turned ? R * R - 1 - (y * R + x) : y * R + x)]; },
        [&](int y, int x, float v) { to[(y * Tile + x) * count + i] = v * lagrange<Tile>(y, x); });
  }
};

/// Gradients of filters, from the points: some parts, added in order.
template <int Tile, int R, class I>
struct FiltersFromPoints {
  I count;
  int64_t parts;
  const float* from;
  float* to;

  __device__ void operator()(I i) const {
    transform_square<FromPoints<Tile, R>>(
        [&](int y, int x) {
          const float* at = from + ((y * Tile + x) * count + i);
          float sum = *at;
          for (int64_t part = 1; part < parts; ++part) sum += at[part * points_of(Tile) * count];
          return sum * lagrange<Tile>(y, x);
        },
        [&](int y, int x, float v) { to[i * (R * R) + y * R + x] = v; });
  }
};

}  // namespace cortado::cuda
