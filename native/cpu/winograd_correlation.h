// Convolution by Winograd's points, from the image to the features or back.
//
// Block by block of tiles, group by group: the source goes to the points, where the convolution is a product of
// matrices, (tile, channel) by (channel, plane), and comes back as outputs. Threads take blocks of their own and never
// wait for each other. Where there are too few blocks, each makes planes of its own from a source that it transforms
// for itself; where planes are few, too, threads share out each of the three steps.
#pragma once

#include "winograd_source.h"
#include "winograd_weights.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Operands of a run: source and output maps, filters as WinogradWeights made them (FewFilters, if the products are of
/// few tiles), bias (or nullptr) per output plane.
struct WinogradData {
  const float *source, *filters, *bias;
  float* output;
  Bounds bounds;
};

class WinogradCorrelation {
 public:
  WinogradCorrelation(const Maps& source, const Maps& output, int64_t images, int64_t tile, const Phases& phases,
                      int64_t pad_h, int64_t pad_w, bool few, int threads)
      : source_(source, phases, {tile, phases.taps(), output.height, output.width}, pad_h, pad_w),
        output_(output),
        bands_(images * source_.tiling.down),
        filters_(source.groups, source_.maps.channels, output.channels),
        few_(few),
        split_(split(threads)),
        rooms_(split_ == Split::steps ? 1 : threads),
        helpers_(threads / rooms_),
        block_(source_.tiling.block(split_ == Split::blocks ? divide_up(bands_, threads) : bands_,
                                    filters() > kLarge ? kFewTiles : kTiles)),
        source_room_{source_.maps.of_groups(1), block_ * source_.tiling.across},
        output_room_(output.of_groups(1), block_ * source_.tiling.across) {}

  /// Floats that the filters take.
  int64_t filters() const { return few_ ? few_filters().size() : filters_.size(source_.tiling.points()); }

  size_t scratch() const {
    Scratch scratch(nullptr);
    for (int i = 0; i < rooms_; ++i) Room(scratch, *this);
    return scratch.bytes();
  }

  void run(const Run& run, const WinogradData& data) const {
    with_tile(source_.tiling.tile, source_.phases.taps(),
              [&]<int Tile, int R>() { divide<Tile, Tile + 1 - R>(run, data); });
  }

 private:
  // Tiles of a block: source and products of all threads stay in a part of the last-level cache that large filters,
  // which pass through it, leave alone.
  static constexpr int64_t kTiles = round_up(32, kTileRows), kFewTiles = 24;
  static constexpr int64_t kLarge = 1 << 20;  // filters, in floats, that do not stay in the caches themselves

  enum class Split { blocks, planes, steps };

  /// A room's share of the batch, and of the panels of all groups.
  struct Share {
    Part bands, panels;
  };

  /// What works on one block.
  struct Room {
    int64_t* at;  // distance of each source channel from a tile
    float *source, *products, *stage;
    Room(Scratch& scratch, const WinogradCorrelation& w)
        : at(scratch.take<int64_t>(w.source_.maps.channels)),
          source(scratch.take<float>(w.source_room_.size(w.source_.tiling.points()))),
          products(scratch.take<float>(w.output_room_.size(w.source_.tiling.points()))),
          stage(scratch.take<float>(w.helpers_ * w.stage())) {}
  };

  int64_t stage() const {
    const int64_t outputs = source_.tiling.size * output_.width * kLanes;
    return round_up(larger(source_.stage(), outputs), 16);
  }

  FewFilters few_filters() const { return {filters_.groups, filters_.channels, filters_.panels.vectors}; }

  int64_t panels() const { return output_.groups * filters_.panels.count; }

  Split split(int threads) const {
    if (bands_ * source_.tiling.across >= kTiles * threads) return Split::blocks;
    return panels() % threads == 0 ? Split::planes : Split::steps;
  }

  template <int Tile, int M>
  void divide(const Run& run, const WinogradData& data) const {
    if (split_ == Split::steps) {
      Scratch scratch(run.scratch);
      return blocks<Tile, M>(data, Room(scratch, *this), {{0, bands_}, {0, panels()}},
                             [&](const auto& step) { on_every_thread(run.threads, step); });
    }
    on_every_thread(run.threads, [&](int thread, int threads) {
      Scratch scratch(run.scratch);
      for (int i = 0; i < thread; ++i) Room(scratch, *this);
      Share share{{0, bands_}, {0, panels()}};
      Part& own = split_ == Split::blocks ? share.bands : share.panels;
      own = part_of(own.end, thread, threads);
      blocks<Tile, M>(data, Room(scratch, *this), share, [](const auto& step) { step(0, 1); });
    });
  }

  /// Each step runs as together(step), which calls step(thread, threads) for all that share the room.
  template <int Tile, int M, class Together>
  CORTADO_INLINE void blocks(const WinogradData& data, const Room& room, const Share& share,
                             const Together& together) const {
    const int64_t count = filters_.panels.count;
    for (int64_t c = 0; c < source_.maps.channels; ++c) room.at[c] = source_room_.at_channel(c);
    for (int64_t first = share.bands.begin; first < share.bands.end; first += block_) {
      const Part block{first, smaller(share.bands.end, first + block_)};
      for (int64_t group = share.panels.begin / count; group * count < share.panels.end; ++group) {
        const Part panels{larger(share.panels.begin - group * count, 0),
                          smaller(share.panels.end - group * count, count)};
        together([&](int thread, int threads) {
          source_.run<Tile>(data.source, block, {group, group + 1}, source_room_, room.source,
                            room.stage + thread * stage(), thread, threads);
        });
        const int64_t tiles = (block.end - block.begin) * source_.tiling.across;
        together([&](int thread, int threads) {
          if (few_) {
            multiply_few(data.filters + group * few_filters().group(), room, panels, tiles, thread, threads);
          } else {
            multiply<Tile>(data.filters + group * filters_.group(), room, panels, tiles, thread, threads);
          }
        });
        together([&](int thread, int threads) {
          finish<Tile, M>(data, room, block, group, panels, room.stage + thread * stage(), thread, threads);
        });
      }
    }
  }

  /// One product for each point and each of these panels.
  template <int Tile>
  void multiply(const float* filters, const Room& room, const Part& share, int64_t tiles, int thread,
                int threads) const {
    const Panels& panels = filters_.panels;
    const int64_t channels = filters_.channels, count = share.end - share.begin;
    const Part part = part_of(points_of(Tile) * count, thread, threads);
    const auto panel_of = [&](int64_t unit) { return share.begin + unit % count; };
    const auto filters_at = [&](int64_t unit) {
      return filters + unit / count * filters_.stride() + panels.begin(panel_of(unit)) * channels;
    };
    for (int64_t unit = part.begin; unit < part.end; ++unit) {
      const int64_t point = unit / count, panel = panel_of(unit), width = panels.width(panel);
      const float* source = room.source + point * source_room_.stride();
      float* product = room.products + point * output_room_.stride() + panels.begin(panel) * output_room_.tiles;
      const int64_t next = unit + 1 < part.end ? unit + 1 : part.begin;
      multiply_point<Tile>(tiles, width, {{}, room.at, channels, {filters_at(unit), width}, {product, width, false}},
                           filters_at(next), panels.width(panel_of(next)) * channels,
                           [&](int64_t tile) { return source + source_room_.at_tile(tile); });
    }
  }

  /// The same, with FewFilters: a row of points of each vector of planes after the other.
  void multiply_few(const float* filters, const Room& room, const Part& panels, int64_t tiles, int thread,
                    int threads) const {
    const int64_t begin = filters_.panels.begin(panels.begin) / kLanes * FewFilters::kTile;
    const int64_t end = filters_.panels.begin(panels.end) / kLanes * FewFilters::kTile;
    const Part part = part_of(end - begin, thread, threads);
    const int64_t pieces = divide_up(tiles, kPairTiles);
    for (int64_t unit = begin + part.begin; unit < begin + part.end; ++unit) {
      const int64_t vector = unit / FewFilters::kTile, point = unit % FewFilters::kTile * FewFilters::kTile;
      for (int64_t piece = 0; piece < pieces; ++piece) {
        const Part some = part_of(tiles, piece, pieces);
        multiply_row(some.end - some.begin,
                     {room.source + point * source_room_.stride() + source_room_.at_tile(some.begin),
                      source_room_.stride(), room.at, filters_.channels, filters + unit * few_filters().row(),
                      room.products + point * output_room_.stride() + output_room_.at(0, vector, some.begin),
                      output_room_.stride(), output_room_.tile_stride(vector)});
      }
    }
  }

  template <int Tile, int M>
  void finish(const WinogradData& data, const Room& room, const Part& block, int64_t group, const Part& panels,
              float* stage, int thread, int threads) const {
    const int64_t begin = filters_.panels.begin(panels.begin) / kLanes;
    const int64_t vectors = filters_.panels.begin(panels.end) / kLanes - begin;
    const Part part = part_of((block.end - block.begin) * vectors, thread, threads);
    for (int64_t unit = part.begin; unit < part.end; ++unit) {
      const int64_t band = unit / vectors, vector = begin + unit % vectors;
      const int64_t image = (block.begin + band) / source_.tiling.down,
                    top = (block.begin + band) % source_.tiling.down * M;
      const float* from = room.products + output_room_.at(0, vector, band * source_.tiling.across);
      const Vf bias = data.bias == nullptr
                          ? zero()
                          : load_part(data.bias + group * output_.channels + vector * kLanes, output_.lanes(vector));
      for (int64_t tile = 0; tile < source_.tiling.across; ++tile) {
        transform<Tile, M>(from + tile * output_room_.tile_stride(vector), bias, stage + tile * M * kLanes,
                           smaller(M, output_.width - tile * M), data.bounds);
      }
      float* to = data.output + output_.at(image, group, vector) + top * output_.width;
      each_column(stage, kLanes, smaller(M, output_.height - top) * output_.width, output_.lanes(vector),
                  [&](int64_t j, int64_t pixel, int64_t count, Vf v) {
                    store_lanes(to + j * output_.plane() + pixel, v, count);
                  });
    }
  }

  template <int Tile, int M>
  void transform(const float* from, Vf bias, float* to, int64_t columns, Bounds bounds) const {
    transform_square<FromPoints<Tile, M>>(
        [&](int i, int j) { return load(from + (i * Tile + j) * output_room_.stride()); },
        [&](int i, int j, Vf v) {
          if (j < columns) store(to + (i * output_.width + j) * kLanes, bounds.hold(v + bias));
        });
  }

  SourceTransform source_;
  Maps output_;
  int64_t bands_;  // of the batch
  FilterRoom filters_;
  bool few_;  // filters are FewFilters instead
  Split split_;
  int rooms_, helpers_;  // rooms, and threads of each
  int64_t block_;        // bands
  SourceRoom source_room_;
  FeatureRoom output_room_;
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
