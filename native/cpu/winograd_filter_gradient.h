// The gradient of the filters by Winograd's points: where the convolution multiplies the transformed source with the
// transformed filters, the gradient multiplies it with the transformed features, and adds up over all tiles.
//
// Each point's sums stay in memory from block to block; each is one thread's own, added to in one order, so that the
// bits depend on nothing else.
#pragma once

#include "winograd_source.h"
#include "winograd_weights.h"

namespace cortado::CORTADO_ISA {
namespace {

class WinogradFilterGradient {
 public:
  WinogradFilterGradient(const Maps& image, const Maps& features, int64_t images, int64_t taps, int64_t pad_h,
                         int64_t pad_w, int threads)
      : source_{image, {kWinogradTile + 1 - taps, features.height, features.width}, pad_h, pad_w},
        features_(features),
        images_(images),
        threads_(threads),
        block_(source_.tiling.block(images * source_.tiling.down, kTiles)),
        source_room_{image, block_ * source_.tiling.across},
        feature_room_(features, block_ * source_.tiling.across),
        weights_{image.groups, image.channels, features.channels, taps, false},
        filters_(weights_.room()) {}

  size_t scratch() const {
    Scratch scratch(nullptr);
    Room(scratch, *this);
    return scratch.bytes();
  }

  /// dweight is overwritten.
  void run(const Run& run, const float* image, const float* features, float* dweight) const {
    Scratch scratch(run.scratch);
    const Room room(scratch, *this);
    for (int64_t tile = 0; tile < source_room_.tiles; ++tile) room.at[tile] = source_room_.at_tile(tile);
    const int64_t bands = images_ * source_.tiling.down;
    for (int64_t first = 0; first < bands; first += block_) {
      const int64_t last = smaller(bands, first + block_);
      on_every_thread(run.threads, [&](int thread, int threads) {
        float* stage = room.stage + thread * this->stage();
        source_.run(image, {first, last}, source_room_, room.source, stage, thread, threads);
        if (source_.tiling.size == 3) {
          open<3>(features, room, first, last, stage, thread, threads);
        } else {
          open<5>(features, room, first, last, stage, thread, threads);
        }
      });
      on_every_thread(run.threads, [&](int thread, int threads) {
        add(room, (last - first) * source_.tiling.across, first > 0, thread, threads);
      });
    }
    weights_.gather(run.threads, room.sums, dweight);
  }

 private:
  static constexpr int64_t kTiles = 192;  // of a block: the more, the less often the sums are fetched

  struct Room {
    int64_t* at;  // distance of each tile from the first
    float *source, *features, *sums, *stage;
    Room(Scratch& scratch, const WinogradFilterGradient& w)
        : at(scratch.take<int64_t>(w.source_room_.tiles)),
          source(scratch.take<float>(w.source_room_.size())),
          features(scratch.take<float>(w.feature_room_.size())),
          sums(scratch.take<float>(w.filters_.size())),
          stage(scratch.take<float>(w.threads_ * w.stage())) {}
  };

  int64_t stage() const {
    const int64_t features = source_.tiling.size * source_.tiling.across * source_.tiling.size * kLanes;
    return round_up(larger(source_.stage(), features), 16);
  }

  template <int M>
  void open(const float* features, const Room& room, int64_t first, int64_t last, float* stage, int thread,
            int threads) const {
    const int64_t vectors = features_.groups * features_.vectors(), columns = source_.tiling.across * M;
    const Part part = part_of((last - first) * vectors, thread, threads);
    for (int64_t unit = part.begin; unit < part.end; ++unit) {
      const int64_t band = unit / vectors, group = unit % vectors / features_.vectors(),
                    vector = unit % features_.vectors();
      const int64_t image = (first + band) / source_.tiling.down, top = (first + band) % source_.tiling.down * M;
      gather_lanes(features + features_.at(image, group, vector), features_, features_.lanes(vector), top, M, 0,
                   columns, stage);
      float* place = room.features + feature_room_.at(group, vector, band * source_.tiling.across);
      for (int64_t tile = 0; tile < source_.tiling.across; ++tile) {
        const float* from = stage + tile * M * kLanes;
        float* to = place + tile * feature_room_.tile_stride(vector);
        transform_square<AtPoints<M>>(
            [&](int i, int j) { return load(from + (i * columns + j) * kLanes); },
            [&](int i, int j, Vf v) { store(to + (i * kWinogradTile + j) * feature_room_.stride(), v); });
      }
    }
  }

  /// sums(channel, filter) (+)= sum over tiles of source(tile, channel) * features(tile, filter), point by point.
  void add(const Room& room, int64_t tiles, bool more, int thread, int threads) const {
    const Panels& panels = filters_.panels;
    const int64_t units = filters_.groups * panels.count, channels = filters_.channels;
    const Part part = part_of(kWinogradPoints * units, thread, threads);
    for (int64_t unit = part.begin; unit < part.end; ++unit) {
      const int64_t point = unit / units, group = unit % units / panels.count, panel = unit % panels.count;
      const int64_t width = panels.width(panel), begin = panels.begin(panel);
      const float* source = room.source + point * source_room_.stride() + group * source_room_.group();
      const float* features =
          room.features + point * feature_room_.stride() + group * feature_room_.group() + begin * feature_room_.tiles;
      float* sums = room.sums + point * filters_.stride() + group * filters_.group() + begin * channels;
      for (int64_t channel = 0; channel < channels;) {
        const int height = tile_height(channels - channel);
        TileRows rows;
        for (int i = 0; i < height; ++i) rows.row[i] = source + source_room_.at_channel(channel + i);
        multiply_tile(height, width, {rows, room.at, tiles, {features, width}, {sums + channel * width, width, more}});
        channel += height;
      }
    }
  }

  SourceTransform source_;
  Maps features_;
  int64_t images_;
  int threads_;
  int64_t block_;  // bands of a block
  SourceRoom source_room_;
  FeatureRoom feature_room_;
  WinogradWeights weights_;
  FilterRoom filters_;
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
