// Convolution by Winograd's points, from the image to the features or back.
//
// Block by block of tiles: the source goes to the points, where the convolution is a product of matrices, (tile,
// channel) by (channel, plane), and comes back as outputs. Threads take blocks of their own and never wait for each
// other; where there are too few, they share out each of the three steps.
#pragma once

#include "winograd_source.h"
#include "winograd_weights.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Operands of a run: source and output maps, filters as WinogradWeights made them, bias (or nullptr) per output plane.
struct WinogradData {
  const float *source, *filters, *bias;
  float* output;
  bool relu;
};

class WinogradCorrelation {
 public:
  WinogradCorrelation(const Maps& source, const Maps& output, int64_t images, int64_t tile, int64_t taps, int64_t pad_h,
                      int64_t pad_w, int threads)
      : source_{source, {tile, taps, output.height, output.width}, pad_h, pad_w},
        output_(output),
        threads_(threads),
        rooms_(images * source_.tiling.tiles() >= kTiles * threads ? threads : 1),
        bands_(images * source_.tiling.down),
        filters_(source.groups, source.channels, output.channels),
        block_(source_.tiling.block(divide_up(bands_, rooms_), filters() > kLarge ? kTiles : kTiles / 2)),
        source_room_{source, block_ * source_.tiling.across},
        output_room_(output, block_ * source_.tiling.across) {}

  /// Floats that the filters take.
  int64_t filters() const { return filters_.size(source_.tiling.points()); }

  size_t scratch() const {
    Scratch scratch(nullptr);
    for (int i = 0; i < rooms_; ++i) Room(scratch, *this);
    return scratch.bytes();
  }

  void run(const Run& run, const WinogradData& data) const {
    if (source_.tiling.tile == 8) return divide<8, 4>(run, data);
    if (source_.tiling.size == 3) return divide<7, 3>(run, data);
    divide<7, 5>(run, data);
  }

 private:
  static constexpr int64_t kTiles = 64;       // of a block, or half of it: source and products stay in the caches
  static constexpr int64_t kLarge = 1 << 20;  // filters, in floats, that only pay for more tiles

  static constexpr int64_t kShort = 32;  // channels summed in registers with tiles of 8

  /// What works on one block.
  struct Room {
    int64_t* at;  // distance of each source channel from a tile
    float *source, *products, *stage;
    Room(Scratch& scratch, const WinogradCorrelation& w)
        : at(scratch.take<int64_t>(w.source_.maps.channels)),
          source(scratch.take<float>(w.source_room_.size(w.source_.tiling.points()))),
          products(scratch.take<float>(w.output_room_.size(w.source_.tiling.points()))),
          stage(scratch.take<float>(w.threads_ / w.rooms_ * w.stage())) {}
  };

  int64_t stage() const {
    const int64_t outputs = source_.tiling.size * output_.width * kLanes;
    return round_up(larger(source_.stage(), outputs), 16);
  }

  template <int Tile, int M>
  void divide(const Run& run, const WinogradData& data) const {
    if (rooms_ == 1) {
      Scratch scratch(run.scratch);
      return blocks<Tile, M>(data, Room(scratch, *this), {0, bands_},
                             [&](const auto& step) { on_every_thread(run.threads, step); });
    }
    on_every_thread(run.threads, [&](int thread, int threads) {
      Scratch scratch(run.scratch);
      for (int i = 0; i < thread; ++i) Room(scratch, *this);
      blocks<Tile, M>(data, Room(scratch, *this), part_of(bands_, thread, threads),
                      [](const auto& step) { step(0, 1); });
    });
  }

  /// Each step runs as together(step), which calls step(thread, threads) for all that share the room.
  template <int Tile, int M, class Together>
  CORTADO_INLINE void blocks(const WinogradData& data, const Room& room, const Part& bands,
                             const Together& together) const {
    for (int64_t c = 0; c < source_.maps.channels; ++c) room.at[c] = source_room_.at_channel(c);
    for (int64_t first = bands.begin; first < bands.end; first += block_) {
      const Part block{first, smaller(bands.end, first + block_)};
      together([&](int thread, int threads) {
        source_.run<Tile>(data.source, block, {0, source_.maps.groups}, source_room_, room.source,
                          room.stage + thread * stage(), thread, threads);
      });
      together([&](int thread, int threads) {
        multiply(data.filters, room, (block.end - block.begin) * source_.tiling.across, thread, threads);
      });
      together([&](int thread, int threads) {
        finish<Tile, M>(data, room, block, room.stage + thread * stage(), thread, threads);
      });
    }
  }

  /// One product for each point, group and panel.
  void multiply(const float* filters, const Room& room, int64_t tiles, int thread, int threads) const {
    const Panels& panels = filters_.panels;
    const int64_t steps = source_.tiling.tile == 8 ? larger(2, divide_up(filters_.channels, kShort)) : 1;
    const int64_t units = filters_.groups * panels.count;
    const Part part = part_of(source_.tiling.points() * units, thread, threads);
    for (int64_t unit = part.begin; unit < part.end; ++unit) {
      const int64_t point = unit / units, group = unit % units / panels.count, panel = unit % panels.count;
      const int64_t width = panels.width(panel), begin = panels.begin(panel);
      const float* source = room.source + point * source_room_.stride() + group * source_room_.group();
      const float* filter = filters + point * filters_.stride() + group * filters_.group() + begin * filters_.channels;
      float* product =
          room.products + point * output_room_.stride() + group * output_room_.group() + begin * output_room_.tiles;
      for (int64_t tile = 0; tile < tiles;) {
        const int height = tile_height(tiles - tile);
        TileRows rows{};
        for (int i = 0; i < height; ++i) rows.row[i] = source + source_room_.at_tile(tile + i);
        multiply_in_steps(height, width,
                          {rows, room.at, filters_.channels, {filter, width}, {product + tile * width, width, false}},
                          steps);
        tile += height;
      }
    }
  }

  template <int Tile, int M>
  void finish(const WinogradData& data, const Room& room, const Part& block, float* stage, int thread,
              int threads) const {
    const int64_t vectors = output_.groups * output_.vectors();
    const Part part = part_of((block.end - block.begin) * vectors, thread, threads);
    for (int64_t unit = part.begin; unit < part.end; ++unit) {
      const int64_t band = unit / vectors, group = unit % vectors / output_.vectors(),
                    vector = unit % output_.vectors();
      const int64_t image = (block.begin + band) / source_.tiling.down,
                    top = (block.begin + band) % source_.tiling.down * M;
      const float* from = room.products + output_room_.at(group, vector, band * source_.tiling.across);
      const Vf bias = data.bias == nullptr
                          ? zero()
                          : load_part(data.bias + group * output_.channels + vector * kLanes, output_.lanes(vector));
      for (int64_t tile = 0; tile < source_.tiling.across; ++tile) {
        transform<Tile, M>(from + tile * output_room_.tile_stride(vector), bias, stage + tile * M * kLanes,
                           smaller(M, output_.width - tile * M), data.relu);
      }
      float* to = data.output + output_.at(image, group, vector) + top * output_.width;
      each_column(stage, kLanes, smaller(M, output_.height - top) * output_.width, output_.lanes(vector),
                  [&](int64_t j, int64_t pixel, int64_t count, Vf v) {
                    store_lanes(to + j * output_.plane() + pixel, v, count);
                  });
    }
  }

  template <int Tile, int M>
  void transform(const float* from, Vf bias, float* to, int64_t columns, bool relu) const {
    const Vf least = relu ? zero() : splat(-HUGE_VALF);
    transform_square<FromPoints<Tile, M>>(
        [&](int i, int j) { return load(from + (i * Tile + j) * output_room_.stride()); },
        [&](int i, int j, Vf v) {
          if (j < columns) store(to + (i * output_.width + j) * kLanes, max(least, v + bias));
        });
  }

  SourceTransform source_;
  Maps output_;
  int threads_, rooms_;  // a room for each thread, or one for all
  int64_t bands_;        // of the batch
  FilterRoom filters_;
  int64_t block_;  // bands
  SourceRoom source_room_;
  FeatureRoom output_room_;
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
