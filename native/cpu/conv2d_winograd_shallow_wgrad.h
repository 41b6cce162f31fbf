// The gradient of the filters of few channels by Winograd's points. The image goes there with tiles in lanes, the
// features with filters in lanes; each number of the image then meets a vector of filters, and sums of a point stay in
// registers while a band's tiles add up.
#pragma once

#include "conv2d_step.h"
#include "reduce_planes.h"
#include "winograd_shallow.h"
#include "winograd_shape.h"

namespace cortado::CORTADO_ISA {
namespace {

/// One point of some tiles of a band: sums (channel, filter) += source (tile, channel) x features (tile, filter), for C
/// channels and V vectors of filters.
struct ShallowTiles {
  const float *source, *features;
  int64_t tiles, source_vector, source_channel, feature_tile;  // distances of vectors of tiles, channels, tiles
  float* sums;
  int64_t sum_channel;
};

template <int C, int V>
CORTADO_INLINE void add_shallow(const ShallowTiles& tiles) {
  Vf total[C][V] = {};
  const float *source = tiles.source, *features = tiles.features;
  for (int64_t first = 0; first < tiles.tiles; first += kLanes, source += tiles.source_vector) {
    Vf sum[C][V] = {};
    const int64_t count = smaller(kLanes, tiles.tiles - first);
    for (int64_t lane = 0; lane < count; ++lane, features += tiles.feature_tile) {
      Vf right[V];
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) right[v] = load(features + v * kLanes);
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) {
        const Vf left = splat(source[c * tiles.source_channel + lane]);
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) sum[c][v] = fma(left, right[v], sum[c][v]);
      }
    }
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) {
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) total[c][v] += sum[c][v];
    }
  }
#pragma GCC unroll 4
  for (int c = 0; c < C; ++c) {
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) {
      float* place = tiles.sums + c * tiles.sum_channel + v * kLanes;
      store(place, load(place) + total[c][v]);
    }
  }
}

class ShallowFilterGradient {
 public:
  explicit ShallowFilterGradient(const Conv2dShape& shape)
      : tiling_(shape, kTiles),
        source_(tiling_),
        features_{1, shape.filters, shape.height.features, shape.width.features},
        vectors_(features_.vectors()),
        point_(point_stride(tiling_.tiles() * vectors_ * kLanes)) {}

  bool fits() const { return tiling_.fits(); }

  size_t scratch(int threads) const {
    Scratch scratch(nullptr);
    for (int i = 0; i < threads; ++i) Room(scratch, *this);
    return scratch.bytes();
  }

  /// filters are overwritten; bias (or nullptr) is the gradient of a bias per filter.
  void run(const Run& run, const float* image, const float* features, float* filters, float* bias) const {
    on_every_thread(run.threads, [&](int thread, int threads) {
      const Room room = room_of(run, thread);
      memset(room.sums, 0, static_cast<size_t>(sums()) * sizeof(float));
      memset(room.totals, 0, static_cast<size_t>(sums()) * sizeof(double));
      memset(room.bias, 0, static_cast<size_t>(features_.channels) * sizeof(double));
      const Part bands = part_of(tiling_.bands(), thread, threads);
      for (int64_t i = bands.begin; i < bands.end; ++i) {
        add_band(image, features, tiling_.band(i), room);
        if ((i + 1 - bands.begin) % kShort == 0 || i + 1 == bands.end) add_sums(room);
      }
    });
    Scratch scratch(run.scratch);
    const Room first(scratch, *this);
    const auto distance = static_cast<int64_t>(scratch.bytes() / sizeof(double));
    on_every_thread(run.threads, [&](int thread, int threads) {
      const Part own = part_of(features_.channels, thread, threads);
      for (int64_t i = own.begin; i < own.end; ++i) finish(first, threads, distance, i, filters, bias);
    });
  }

 private:
  // Tiles of a band: with both transformed, it stays in the second-level cache.
  static constexpr int64_t kTiles = 32;
  static constexpr int64_t kShort = 8;  // bands whose sums are in float: rounding weighs sixteenfold after the points
  static constexpr int kChannels = 4, kVectors = kLanes > 4 ? 2 : 1;  // sums of a point in registers

  /// A thread's own scratch.
  struct Room {
    float *pixels, *source, *stage, *features, *sums;  // sums: (point, channel, filter)
    double *totals, *bias;                             // totals: of sums
    Room(Scratch& scratch, const ShallowFilterGradient& f)
        : pixels(scratch.take<float>(f.source_.pixels())),
          source(scratch.take<float>(divide_up(f.tiling_.tiles(), kLanes) * f.source_.vector())),
          stage(scratch.take<float>(kShallowOutputs * kShallowOutputs * f.tiling_.across * kLanes)),
          features(scratch.take<float>(kShallowPoints * f.point_)),
          sums(scratch.take<float>(f.sums())),
          totals(scratch.take<double>(f.sums())),
          bias(scratch.take<double>(f.features_.channels)) {}
  };

  Room room_of(const Run& run, int thread) const {
    Scratch scratch(run.scratch);
    for (int i = 0; i < thread; ++i) Room(scratch, *this);
    return {scratch, *this};
  }

  int64_t channels() const { return tiling_.shape.channels; }
  int64_t padded() const { return vectors_ * kLanes; }
  int64_t sums() const { return kShallowPoints * channels() * padded(); }

  void add_band(const float* image, const float* features, const ShallowBand& band, const Room& room) const {
    source_.open(image, band, room.pixels);
    const int64_t tiles = band.rows * tiling_.across;
    for (int64_t vector = 0; vector * kLanes < tiles; ++vector) {
      source_.transform(room.pixels, vector, room.source + vector * source_.vector());
    }
    for (int64_t vector = 0; vector < vectors_; ++vector) {
      const float* planes = features + features_.at(band.image, 0, vector);
      for (int64_t row = 0; row < band.rows; ++row) open_features(planes, band.row + row, row, vector, room);
      add_bias(planes, band, vector, room);
    }
    for (int row = 0; row < kShallowTile; ++row) {
      for (int column = 0; column < kShallowTile; ++column) add_point(tiles, row, column, room);
    }
  }

  /// A row of tiles of kLanes planes to the points: (point, tile, filter).
  void open_features(const float* planes, int64_t row, int64_t place, int64_t vector, const Room& room) const {
    const int64_t columns = tiling_.across * kShallowOutputs;
    gather_lanes(planes, features_, features_.lanes(vector), row * kShallowOutputs, kShallowOutputs, 0, columns,
                 room.stage);
    float* to = room.features + place * tiling_.across * padded() + vector * kLanes;
    for (int64_t tile = 0; tile < tiling_.across; ++tile, to += padded()) {
      const float* from = room.stage + tile * kShallowOutputs * kLanes;
      transform_square<AtPoints<kShallowTile, kShallowOutputs>>(
          [&](int i, int j) { return load(from + (i * columns + j) * kLanes); },
          [&](int i, int j, Vf v) { store(to + (i * kShallowTile + j) * point_, v); });
    }
  }

  /// While the band's features are near.
  void add_bias(const float* planes, const ShallowBand& band, int64_t vector, const Room& room) const {
    const int64_t width = features_.width, first = band.row * kShallowOutputs;
    const int64_t rows = smaller(features_.height - first, band.rows * kShallowOutputs);
    for (int64_t lane = 0; lane < features_.lanes(vector); ++lane) {
      room.bias[vector * kLanes + lane] +=
          static_cast<double>(sum_of(planes + lane * features_.plane() + first * width, rows * width));
    }
  }

  void add_point(int64_t tiles, int64_t row, int64_t column, const Room& room) const {
    const int64_t point = row * kShallowTile + column;
    for (int64_t c = 0; c < channels(); c += kChannels) {
      for (int64_t vector = 0; vector < vectors_;) {
        const int64_t v = smaller(kVectors, vectors_ - vector);
        const ShallowTiles part{room.source + source_.at(row, column, c),
                                room.features + point * point_ + vector * kLanes,
                                tiles,
                                source_.vector(),
                                kShallowTile * kLanes,
                                padded(),
                                room.sums + (point * channels() + c) * padded() + vector * kLanes,
                                padded()};
        add_shallow(smaller(kChannels, channels() - c), v, part);
        vector += v;
      }
    }
  }

  static void add_shallow(int64_t channels, int64_t vectors, const ShallowTiles& tiles) {
    if constexpr (kVectors > 1) {
      if (vectors > 1) return add_shallow<kVectors>(channels, tiles);
    }
    add_shallow<1>(channels, tiles);
  }
  template <int V>
  static void add_shallow(int64_t channels, const ShallowTiles& tiles) {
    if (channels == 1) return CORTADO_ISA::add_shallow<1, V>(tiles);
    if (channels == 2) return CORTADO_ISA::add_shallow<2, V>(tiles);
    if (channels == 3) return CORTADO_ISA::add_shallow<3, V>(tiles);
    CORTADO_ISA::add_shallow<4, V>(tiles);
  }

  void add_sums(const Room& room) const {
    for (int64_t i = 0; i < sums(); ++i) room.totals[i] += static_cast<double>(room.sums[i]);
    memset(room.sums, 0, static_cast<size_t>(sums()) * sizeof(float));
  }

  /// A filter's taps and bias, of the totals of all threads in order, whose rooms lie `distance` apart.
  void finish(const Room& first, int threads, int64_t distance, int64_t filter, float* filters, float* bias) const {
    const auto total = [&](const double* from) {
      double sum = 0;
      for (int i = 0; i < threads; ++i) sum += from[i * distance];
      return sum;
    };
    for (int64_t c = 0; c < channels(); ++c) {
      float* to = filters + (filter * channels() + c) * kShallowTaps * kShallowTaps;
      transform_square<FromPoints<kShallowTile, kShallowTaps>>(
          [&](int i, int j) {
            const double* from = first.totals + ((i * kShallowTile + j) * channels() + c) * padded() + filter;
            return total(from) * lagrange<kShallowTile>(i) * lagrange<kShallowTile>(j);
          },
          [&](int i, int j, double v) { to[i * kShallowTaps + j] = static_cast<float>(v); });
    }
    if (bias != nullptr) bias[filter] = static_cast<float>(total(first.bias + filter));
  }

  ShallowTiling tiling_;
  ShallowSource source_;
  Maps features_;
  int64_t vectors_, point_;  // of filters; distance of points of the features
};

using Conv2dWinogradShallowWgrad = FilterGradientStep<ShallowFilterGradient>;

}  // namespace
}  // namespace cortado::CORTADO_ISA
