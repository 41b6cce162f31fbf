// The gradient of the filters by Winograd's points: where the convolution multiplies the transformed source with the
// transformed filters, the gradient multiplies it with the transformed features, and adds up over all tiles.
//
// Each point's sums stay in memory from block to block, and are added to in one order, so that the bits depend on the
// number of threads alone. A thread has groups of its own, or small sums of its own over a part of the batch, and waits
// for nobody; where neither can be, all share one room, step by step.
#pragma once

#include "winograd_source.h"
#include "winograd_weights.h"

namespace cortado::CORTADO_ISA {
namespace {

class WinogradFilterGradient {
 public:
  WinogradFilterGradient(const Maps& image, const Maps& features, int64_t images, int64_t tile, const Phases& phases,
                         int64_t pad_h, int64_t pad_w, int threads)
      : source_(image, phases, {tile, phases.taps(), features.height, features.width}, pad_h, pad_w),
        features_(features),
        bands_(images * source_.tiling.down),
        weights_{image.groups, source_.maps.channels, features.channels, tile, phases, false},
        split_(split(threads)),
        rooms_(split_ == Split::steps ? 1 : threads),
        helpers_(threads / rooms_),
        groups_(split_ == Split::groups ? image.groups / threads : image.groups),
        filters_(groups_, source_.maps.channels, features.channels),
        block_(source_.tiling.block(split_ == Split::batch ? divide_up(bands_, threads) : bands_,
                                    filters_.size(source_.tiling.points()) > kLarge ? kManyTiles : kFewTiles)),
        source_room_{own(source_.maps), block_ * source_.tiling.across},
        feature_room_(own(features), block_ * source_.tiling.across) {}

  size_t scratch() const {
    Scratch scratch(nullptr);
    for (int i = 0; i < rooms_; ++i) Room(scratch, *this);
    return scratch.bytes();
  }

  /// dweight is overwritten.
  void run(const Run& run, const float* image, const float* features, float* dweight) const {
    with_tile(source_.tiling.tile, source_.phases.taps(),
              [&]<int Tile, int R>() { divide<Tile, Tile + 1 - R>(run, image, features, dweight); });
  }

 private:
  static constexpr int64_t kSmall = 1 << 18;  // sums, in floats, that every thread may have to itself
  static constexpr int64_t kLarge = 3 << 19;  // sums that are fetched from the last-level cache or beyond it
  // Tiles of a block: few of them stay near; many, and large sums are fetched less often.
  static constexpr int64_t kFewTiles = 48, kManyTiles = 96;

  enum class Split { groups, batch, steps };

  /// What works on one block, and the sums of all.
  struct Room {
    int64_t* at;  // distance of each tile from the first
    float *source, *features, *sums, *stage;
    Room(Scratch& scratch, const WinogradFilterGradient& w)
        : at(scratch.take<int64_t>(w.source_room_.tiles)),
          source(scratch.take<float>(w.source_room_.size(w.source_.tiling.points()))),
          features(scratch.take<float>(w.feature_room_.size(w.source_.tiling.points()))),
          sums(scratch.take<float>(w.filters_.size(w.source_.tiling.points()))),
          stage(scratch.take<float>(w.helpers_ * w.stage())) {}
  };

  /// A room's share of the batch.
  struct Share {
    Part bands, groups;
  };

  Split split(int threads) const {
    if (source_.maps.groups % threads == 0) return Split::groups;
    return weights_.size() <= kSmall && bands_ >= threads ? Split::batch : Split::steps;
  }

  Maps own(Maps maps) const {
    maps.groups = groups_;
    return maps;
  }

  int64_t stage() const {
    const int64_t features = source_.tiling.size * source_.tiling.across * source_.tiling.size * kLanes;
    return round_up(larger(source_.stage(), features), 16);
  }

  template <int Tile, int M>
  void divide(const Run& run, const float* image, const float* features, float* dweight) const {
    Scratch scratch(run.scratch);
    const Room first(scratch, *this);
    const auto distance = static_cast<int64_t>(scratch.bytes() / sizeof(float));
    if (split_ == Split::steps) {
      add_up<Tile, M>(image, features, first, {{0, bands_}, {0, groups_}},
                      [&](const auto& step) { on_every_thread(run.threads, step); });
    } else {
      on_every_thread(run.threads, [&](int thread, int threads) {
        Scratch own = Scratch(run.scratch);
        for (int i = 0; i < thread; ++i) Room(own, *this);
        const Room room(own, *this);
        const bool batch = split_ == Split::batch;
        const Share share{batch ? part_of(bands_, thread, threads) : Part{0, bands_},
                          batch ? Part{0, groups_} : Part{thread * groups_, (thread + 1) * groups_}};
        add_up<Tile, M>(image, features, room, share, [](const auto& step) { step(0, 1); });
      });
    }
    on_every_thread(run.threads, [&](int thread, int threads) {
      if (split_ == Split::groups) {
        WinogradWeights own = weights_;
        own.groups = groups_;
        own.gather(first.sums + thread * distance, 1, 0, dweight + thread * groups_ * weights_.group(), 0, 1);
      } else {
        weights_.gather(first.sums, rooms_, distance, dweight, thread, threads);
      }
    });
  }

  /// Each step runs as together(step), which calls step(thread, threads) for all that share the room.
  template <int Tile, int M, class Together>
  CORTADO_INLINE void add_up(const float* image, const float* features, const Room& room, const Share& share,
                             const Together& together) const {
    for (int64_t tile = 0; tile < source_room_.tiles; ++tile) room.at[tile] = source_room_.at_tile(tile);
    for (int64_t first = share.bands.begin; first < share.bands.end; first += block_) {
      const Part block{first, smaller(share.bands.end, first + block_)};
      together([&](int thread, int threads) {
        float* stage = room.stage + thread * this->stage();
        source_.run<Tile>(image, block, share.groups, source_room_, room.source, stage, thread, threads);
        open<Tile, M>(features, room, block, share.groups, stage, thread, threads);
      });
      together([&](int thread, int threads) {
        add<Tile>(room, (block.end - block.begin) * source_.tiling.across, first > share.bands.begin, thread, threads);
      });
    }
  }

  template <int Tile, int M>
  void open(const float* features, const Room& room, const Part& block, const Part& groups, float* stage, int thread,
            int threads) const {
    const int64_t vectors = (groups.end - groups.begin) * features_.vectors(), columns = source_.tiling.across * M;
    const Part part = part_of((block.end - block.begin) * vectors, thread, threads);
    for (int64_t unit = part.begin; unit < part.end; ++unit) {
      const int64_t band = unit / vectors, group = unit % vectors / features_.vectors(),
                    vector = unit % features_.vectors();
      const int64_t image = (block.begin + band) / source_.tiling.down,
                    top = (block.begin + band) % source_.tiling.down * M;
      gather_lanes(features + features_.at(image, groups.begin + group, vector), features_, features_.lanes(vector),
                   top, M, 0, columns, stage);
      float* place = room.features + feature_room_.at(group, vector, band * source_.tiling.across);
      for (int64_t tile = 0; tile < source_.tiling.across; ++tile) {
        const float* from = stage + tile * M * kLanes;
        float* to = place + tile * feature_room_.tile_stride(vector);
        transform_square<AtPoints<Tile, M>>(
            [&](int i, int j) { return load(from + (i * columns + j) * kLanes); },
            [&](int i, int j, Vf v) { store(to + (i * Tile + j) * feature_room_.stride(), v); });
      }
    }
  }

  /// sums(channel, filter) (+)= sum over tiles of source(tile, channel) * features(tile, filter), point by point.
  template <int Tile>
  void add(const Room& room, int64_t tiles, bool more, int thread, int threads) const {
    const Panels& panels = filters_.panels;
    const int64_t units = filters_.groups * panels.count, channels = filters_.channels;
    const Part part = part_of(points_of(Tile) * units, thread, threads);
    for (int64_t unit = part.begin; unit < part.end; ++unit) {
      const int64_t point = unit / units, group = unit % units / panels.count, panel = unit % panels.count;
      const int64_t width = panels.width(panel), begin = panels.begin(panel);
      const float* source = room.source + point * source_room_.stride() + group * source_room_.group();
      const float* features =
          room.features + point * feature_room_.stride() + group * feature_room_.group() + begin * feature_room_.tiles;
      float* sums = room.sums + point * filters_.stride() + group * filters_.group() + begin * channels;
      multiply_point<Tile>(channels, width, {{}, room.at, tiles, {features, width}, {sums, width, more}}, nullptr, 0,
                           [&](int64_t channel) { return source + source_room_.at_channel(channel); });
    }
  }

  SourceTransform source_;
  Maps features_;
  int64_t bands_;  // of the batch
  WinogradWeights weights_;
  Split split_;
  int rooms_, helpers_;  // rooms, and threads of each
  int64_t groups_;       // of a room
  FilterRoom filters_;   // a room's sums
  int64_t block_;        // bands
  SourceRoom source_room_;
  FeatureRoom feature_room_;
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
