// The convolution from any side where a group has few output planes: several filters of each channel, or few channels
// with one each, and the gradient of pictures.
//
// conv2d_correlation.h has planes in lanes, most of which would be empty here. Here they are the pixels of a run
// through a frame (conv2d_frame.h), whatever the width of its rows, the stride and the direction.
#pragma once

#include "conv2d_correlation.h"
#include "conv2d_frame.h"
#include "conv2d_weight_rows.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Some planes at some positions of a run: products (+)= weights times source.
struct FlatTile {
  const float* weight;     // of the first plane
  int64_t weights, depth;  // distance of the planes' weights; how many of them are multiplied
  const float* source;     // of the first position
  const int64_t* at;       // distance of each (channel, tap) from there
  float* products;         // of the first plane and position
  int64_t stride;          // distance of the planes' products
  bool add;
};

template <int R, int V>
__attribute__((noinline)) void multiply_flat(const FlatTile& tile) {
  Vf sum[R][V] = {};
  const float *row[R], *const source = tile.source;
  const int64_t depth = tile.depth, *const at = tile.at;
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) row[i] = tile.weight + i * tile.weights;
  for (int64_t k = 0; k < depth; ++k) {
    const float* from = source + at[k];
    Vf left[R];
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) left[i] = splat(row[i][k]);
#pragma GCC unroll 8
    for (int j = 0; j < V; ++j) {
      const Vf right = load(from + j * kLanes);
#pragma GCC unroll 8
      for (int i = 0; i < R; ++i) sum[i][j] = fma(left[i], right, sum[i][j]);
    }
  }
  float* to = tile.products;
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i, to += tile.stride) {
#pragma GCC unroll 8
    for (int j = 0; j < V; ++j) {
      float* place = to + j * kLanes;
      store(place, tile.add ? sum[i][j] + load(place) : sum[i][j]);
    }
  }
}

/// The same for as many vectors as there are, at most V.
template <int R, int V>
CORTADO_INLINE void multiply_flat(int64_t vectors, const FlatTile& tile) {
  if constexpr (V > 1) {
    if (vectors < V) return multiply_flat<R, V - 1>(vectors, tile);
  }
  multiply_flat<R, V>(tile);
}

/// The same for any number of them.
template <int R>
void multiply_run(int64_t vectors, FlatTile tile) {
  // As many sums as the register file holds beside the weights.
  constexpr int kMost = R == 1 ? 8 : R == 2 ? 4 : kLanes > 4 ? 3 : 2;
  const float* source = tile.source;
  float* products = tile.products;
  for (int64_t chunk = 0, chunks = divide_up(vectors, kMost); chunk < chunks; ++chunk) {
    const Part part = part_of(vectors, chunk, chunks);
    tile.source = source + part.begin * kLanes;
    tile.products = products + part.begin * kLanes;
    multiply_flat<R, kMost>(part.end - part.begin, tile);
  }
}

/// The most planes that are multiplied at once, and how many of `planes` are.
constexpr int kFlatPlanes = 4;
CORTADO_INLINE int flat_height(int64_t planes) { return static_cast<int>(smaller(kFlatPlanes, planes)); }

CORTADO_INLINE void multiply_run(int height, int64_t vectors, const FlatTile& tile) {
  if (height == 4) return multiply_run<4>(vectors, tile);
  if (height == 3) return multiply_run<3>(vectors, tile);
  if (height == 2) return multiply_run<2>(vectors, tile);
  multiply_run<1>(vectors, tile);
}

class FlatCorrelation {
 public:
  FlatCorrelation(const Conv2dShape& shape, bool backward, int threads)
      : rows_(shape, backward),
        weights_(rows_.weights),
        maps_(shape.images * shape.groups),
        bands_(bands(threads)),
        frame_(weights_.height, weights_.width, divide_up(weights_.height.grid(0), bands_)),
        block_(bands_ > 1 ? 1 : smaller(divide_up(maps_, threads), larger(1, kPlane / map()))) {}

  bool fits() const { return true; }

  size_t scratch(int threads) const {
    Scratch scratch(nullptr);
    scratch.take<float>(rows_.gathered());
    for (int i = 0; i < threads; ++i) Room(scratch, *this);
    return scratch.bytes();
  }

  void run(const Run& run, const CorrelationData& data) const {
    Scratch scratch(run.scratch);
    CorrelationData operands = data;
    operands.weight = rows_.gather(run.threads, data.weight, scratch.take<float>(rows_.gathered()));
    on_every_thread(run.threads, [&](int thread, int threads) {
      Scratch rest = scratch;
      for (int i = 0; i < thread; ++i) Room(rest, *this);
      const Room room(rest, *this);
      rows_.fill(frame_, room.phases, room.at);
      const int64_t blocks = divide_up(maps_, block_);
      const Part units = part_of(blocks * bands_, thread, threads);
      for (int64_t unit = units.begin; unit < units.end; ++unit) {
        const Part band = part_of(weights_.height.grid(0), unit % bands_, bands_);
        multiply_block(operands, room, part_of(maps_, unit / bands_, blocks), band);
      }
    });
  }

 private:
  using Phase = WeightRows::Phase;

  static constexpr int64_t kPlane = 4096;   // numbers of a channel's frame, at most, beside the taps' own rows
  static constexpr int64_t kFrame = 32768;  // of all channels
  static constexpr int64_t kDepth = 512;    // addends summed in registers at once

  /// A thread's own scratch.
  struct Room {
    Phase* phases;
    int64_t* at;              // distance of each (channel, tap) of each phase
    float *frame, *products;  // of a block
    Room(Scratch& scratch, const FlatCorrelation& c)
        : phases(scratch.take<Phase>(c.rows_.phases())),
          at(scratch.take<int64_t>(c.rows_.depth())),
          frame(scratch.take<float>(c.frame_.size(c.block_ * c.weights_.channels))),
          products(scratch.take<float>(c.block_ * kFlatPlanes * c.rows_.phases() * c.products() + 2 * kLanes)) {}
  };

  /// Room for the products of a plane and phase.
  int64_t products() const {
    return round_up(frame_.run(divide_up(weights_.height.grid(0), bands_), frame_.pitch()), kLanes);
  }

  /// Numbers of a map's frame or of its products, of which there are more.
  int64_t map() const { return larger(frame_.size(weights_.channels), rows_.phases() * products()); }

  int64_t bands(int threads) const {
    const int64_t rows = weights_.height.grid(0);
    const Frame one(weights_.height, weights_.width, 1), two(weights_.height, weights_.width, 2);
    const int64_t row = two.channel() - one.channel(), most = smaller(kPlane, kFrame / weights_.channels);
    const int64_t count = divide_up(rows, larger(1, most / row));
    // Where there are few, threads have as many each.
    const bool few = maps_ * count < 4 * threads;
    return smaller(rows, few ? divide_up(round_up(maps_ * count, threads), maps_) : count);
  }

  /// Rows of the output of some groups, counted through all images.
  void multiply_block(const CorrelationData& data, const Room& room, const Part& maps, const Part& band) const {
    frame_.open(data.source + maps.begin * weights_.channels * weights_.height.source() * weights_.width.source(),
                (maps.end - maps.begin) * weights_.channels, band.begin, room.frame);
    for (int64_t plane = 0; plane < weights_.planes; plane += kFlatPlanes) {
      // All products before the first of them is read again.
      const int height = flat_height(weights_.planes - plane);
      for (int64_t map = maps.begin; map < maps.end; ++map) {
        multiply(data, room, band, map % weights_.groups * weights_.planes + plane, height, map - maps.begin);
      }
      for (int64_t map = maps.begin; map < maps.end; ++map) {
        for (int i = 0; i < height; ++i) {
          const int64_t of_group = plane + i, filter = map % weights_.groups * weights_.planes + of_group;
          put(room.products + ((map - maps.begin) * kFlatPlanes + i) * rows_.phases() * products(), room.phases, band,
              data.bias == nullptr ? nullptr : data.bias + filter, data.bounds,
              data.output + (map * weights_.planes + of_group) * weights_.height.output() * weights_.width.output());
        }
      }
    }
  }

  /// The products of some planes, from number `plane` of all groups on, with the map at `index` in the block.
  void multiply(const CorrelationData& data, const Room& room, const Part& band, int64_t plane, int height,
                int64_t index) const {
    float* to = room.products + index * kFlatPlanes * rows_.phases() * products();
    for (const Phase *phase = room.phases, *end = phase + rows_.phases(); phase != end; ++phase, to += products()) {
      const int64_t rows = smaller(band.end, phase->height) - band.begin;
      if (rows <= 0) continue;
      const int64_t vectors = divide_up(frame_.run(rows, phase->width), kLanes);
      const int64_t parts = larger(1, divide_up(phase->depth, kDepth));
      for (int64_t i = 0; i < parts; ++i) {
        const Part part = part_of(phase->depth, i, parts);
        multiply_run(height, vectors,
                     {data.weight + plane * rows_.depth() + phase->first + part.begin, rows_.depth(),
                      part.end - part.begin, room.frame + index * weights_.channels * frame_.channel(),
                      room.at + phase->first + part.begin, to, rows_.phases() * products(), i > 0});
      }
    }
  }

  /// The products of a plane's phases to where they belong.
  void put(const float* products_of, const Phase* phases_of, const Part& band, const float* bias, Bounds bounds,
           float* plane) const {
    const Vf shift = bias == nullptr ? zero() : splat(*bias);
    const auto value = [&](const float* p) __attribute__((always_inline)) { return bounds.hold(load(p) + shift); };
    const int64_t row = weights_.width.output(), stride = weights_.height.out_step() * row;
    for (int64_t y = 0; y < weights_.height.phases(); ++y) {
      const Phase* phase = phases_of + y * weights_.width.phases();
      const float* run = products_of + y * weights_.width.phases() * products();
      float* to = plane + y * row + band.begin * stride;
      const int64_t rows = smaller(band.end, phase->height) - band.begin;
      if (weights_.width.phases() == 1) {
        put_rows(run, rows, to, stride, value);
      } else {
        for (int64_t i = 0; i < rows; ++i, to += stride, run += frame_.pitch()) put_phases(run, to, value);
      }
    }
  }

  /// Whole rows. They may be written beyond their end where those that follow are written after them.
  template <class Value>
  CORTADO_INLINE void put_rows(const float* run, int64_t rows, float* to, int64_t stride, const Value& value) const {
    const int64_t width = weights_.width.output();
    const int64_t exact = stride > width ? rows : divide_up(round_up(width, kLanes), stride) - 1;
    int64_t y = 0;
    for (; y < rows - exact; ++y, run += frame_.pitch(), to += stride) {
      for (int64_t x = 0; x < width; x += kLanes) store(to + x, value(run + x));
    }
    for (; y < rows; ++y, run += frame_.pitch(), to += stride) {
      for (int64_t x = 0; x < width; x += kLanes) store_lanes(to + x, value(run + x), smaller(kLanes, width - x));
    }
  }

  /// A row of pixels that take turns.
  template <class Value>
  CORTADO_INLINE void put_phases(const float* run, float* to, const Value& value) const {
    const int64_t width = weights_.width.output(), step = weights_.width.out_step();
    if (step == 2) {
      for (int64_t x = 0; x < width; x += 2 * kLanes) {
        const Vf even = value(run + x / 2), odd = value(run + products() + x / 2);
        store_lanes(to + x, interleave<0>(even, odd, AllLanes{}), smaller(kLanes, width - x));
        if (width - x > kLanes) {
          store_lanes(to + x + kLanes, interleave<1>(even, odd, AllLanes{}), smaller(kLanes, width - x - kLanes));
        }
      }
      return;
    }
    for (int64_t x = 0; x < width; x += step) {
      for (int64_t phase = 0; phase < smaller(step, width - x); ++phase) {
        to[x + phase] = value(run + phase * products() + x / step)[0];
      }
    }
  }

  WeightRows rows_;
  CorrelationWeights weights_;
  int64_t maps_, bands_;  // groups of all images
  Frame frame_;
  int64_t block_;  // maps that are multiplied together
};

using Conv2dFlat = CorrelationStep<FlatCorrelation, false, true>;
using Conv2dFlatDgrad = CorrelationStep<FlatCorrelation, true, false>;
using Deconv2dFlat = CorrelationStep<FlatCorrelation, true, true>;
using Deconv2dFlatDgrad = CorrelationStep<FlatCorrelation, false, false>;

}  // namespace
}  // namespace cortado::CORTADO_ISA
