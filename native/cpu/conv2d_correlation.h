// The convolution from any side: a sum over channels and taps of shifted source planes times weights.
//
// It is a matrix product whose rows are pixels of the output, whose columns are its planes and whose depth is (channel,
// tap). The left factor is the source itself: a tap is one fixed distance from a pixel, so the tile reads it through a
// table of distances and nothing is unrolled into columns. Only a frame of zeros is added, image by image, where there
// is padding; and where numbers are used often, channels are last in it (conv2d_weights.h).
#pragma once

#include "conv2d_planes.h"
#include "conv2d_source.h"
#include "conv2d_step.h"

namespace cortado::CORTADO_ISA {
namespace {

class Correlation {
 public:
  /// From the image to the features (convolution), or backward.
  Correlation(const Conv2dShape& shape, bool backward, int threads, bool packed = false)
      : weights_(shape, backward), packed_(packed), source_(weights_), images_(shape.images) {
    // Small images are taken several at a time, so that a panel of weights serves at least some 64 pixels.
    const int64_t pixels = larger(1, weights_.height.grid(0) * weights_.width.grid(0));
    const int64_t row_tiles = images_ * divide_up(pixels, kTileRows);
    grid_ = make_grid(threads, row_tiles, weights_.panels, weights_.groups, images_ >= threads);
    block_images_ = smaller(divide_up(64, pixels), divide_up(images_, grid_.rows));
    const int64_t blocks = divide_up(images_, block_images_);
    block_parts_ = blocks % grid_.rows != 0 && blocks < 4 * grid_.rows ? grid_.rows : 1;
    shared_ = source_.framed() && images_ < threads;
  }

  const CorrelationWeights& weights() const { return weights_; }
  bool fits() const { return true; }

  size_t scratch(int) const {
    Scratch scratch(nullptr);
    scratch.take<float>(packed_ ? 0 : weights_.size());
    scratch.take<float>(shared_frames());
    for (int i = 0; i < grid_.rows * grid_.columns; ++i) Room(scratch, *this);
    return scratch.bytes();
  }

  void run(const Run& run, const CorrelationData& data) const {
    Scratch scratch(run.scratch);
    float* own_packed = scratch.take<float>(packed_ ? 0 : weights_.size());
    if (!packed_) weights_.pack(run.threads, data.weight, own_packed);
    const float* packed = packed_ ? data.weight : own_packed;
    float* const frames = scratch.take<float>(shared_frames());
    if (shared_) fill_frames(run.threads, data.source, frames);
    on_every_thread(run.threads, [&](int thread, int) {
      Scratch own = scratch;
      for (int i = 0; i < thread; ++i) Room(own, *this);
      multiply(data, packed, frames, Room(own, *this), thread);
    });
  }

 private:
  static constexpr int64_t kChunk = 96;   // rows (pixels) whose products wait in the first-level cache
  static constexpr int64_t kDepth = 512;  // addends summed in registers at once

  /// A thread's own scratch.
  struct Room {
    int64_t* at;               // distance of each (channel, tap) from a pixel
    int64_t *from, *to;        // of a chunk's pixels: place in the source block, place in the output block
    float *framed, *products;  // a block of images with its frame of zeros; a chunk's product with one panel
    Room(Scratch& scratch, const Correlation& c)
        : at(scratch.take<int64_t>(c.weights_.channels * c.weights_.taps())),
          from(scratch.take<int64_t>(kChunk)),
          to(scratch.take<int64_t>(kChunk)),
          framed(scratch.take<float>(c.source_.framed() && !c.shared_ ? c.block_images_ * c.source_.image() : 0)),
          products(scratch.take<float>(kChunk * kPanel)) {}
  };

  /// The images [begin, begin + count), seen by one group: its frames and where its output planes begin.
  struct Block {
    int64_t begin, count, image_stride;
    const float* source;
    float* output;
  };

  int64_t shared_frames() const { return shared_ ? images_ * weights_.groups * source_.image() : 0; }
  int64_t source_plane() const { return weights_.height.source() * weights_.width.source(); }
  int64_t output_plane() const { return weights_.height.output() * weights_.width.output(); }

  void multiply(const CorrelationData& data, const float* packed, const float* frames, const Room& room,
                int thread) const {
    const int64_t blocks = divide_up(images_, block_images_);
    const Part rows = grid_.row_part(blocks * block_parts_, thread);
    const Part columns = grid_.column_part(weights_.groups * weights_.panels.count, thread);
    for (int64_t unit = columns.begin; unit < columns.end;) {
      const int64_t group = unit / weights_.panels.count;
      const int64_t end = smaller(columns.end, (group + 1) * weights_.panels.count);
      const Part panels{unit - group * weights_.panels.count, end - group * weights_.panels.count};
      for (int64_t row = rows.begin; row < rows.end;) {
        const int64_t block = row / block_parts_, stop = smaller(rows.end, (block + 1) * block_parts_);
        const Part parts{row - block * block_parts_, stop - block * block_parts_};
        multiply_block(data, packed, room, group, open_block(data, frames, room, group, block), parts, panels);
        row = stop;
      }
      unit = end;
    }
  }

  Block open_block(const CorrelationData& data, const float* frames, const Room& room, int64_t group,
                   int64_t index) const {
    const int64_t begin = index * block_images_, count = smaller(block_images_, images_ - begin);
    const int64_t image = weights_.groups * weights_.channels * source_plane();
    const float* source = data.source + begin * image + group * weights_.channels * source_plane();
    float* output = data.output + (begin * weights_.groups + group) * weights_.planes * output_plane();
    if (!source_.framed()) return {begin, count, image, source, output};
    if (shared_) {
      const float* framed = frames + (begin * weights_.groups + group) * source_.image();
      return {begin, count, weights_.groups * source_.image(), framed, output};
    }
    for (int64_t i = 0; i < count; ++i) {
      source_.fill(source + i * image, {0, source_.strips()}, room.framed + i * source_.image());
    }
    return {begin, count, source_.image(), room.framed, output};
  }

  void fill_frames(Threads& team, const float* source, float* frames) const {
    const int64_t strips = source_.strips();
    for_slices(team, images_ * weights_.groups * strips, 1, [&](int64_t begin, int64_t end) {
      for (int64_t unit = begin; unit < end;) {
        const int64_t map = unit / strips, stop = smaller(end, (map + 1) * strips);
        source_.fill(source + map * weights_.channels * source_plane(), {unit - map * strips, stop - map * strips},
                     frames + map * source_.image());
        unit = stop;
      }
    });
  }

  /// Some pixels of a phase in a block: those from `begin` on.
  struct Chunk {
    const CorrelationWeights::Phase& phase;
    const Block& block;
    int64_t begin, count;
  };

  void multiply_block(const CorrelationData& data, const float* packed, const Room& room, int64_t group,
                      const Block& block, const Part& parts, const Part& panels) const {
    weights_.each_phase(packed, [&](const CorrelationWeights::Phase& phase, const float*) {
      fill_distances(phase, room.at);
      const int64_t rows = block.count * phase.height * phase.width, tiles = divide_up(rows, kTileRows);
      const int64_t first = smaller(rows, tiles * parts.begin / block_parts_ * kTileRows);
      const int64_t last = smaller(rows, tiles * parts.end / block_parts_ * kTileRows);
      const int64_t chunks = divide_up(last - first, kChunk),
                    size = round_up(divide_up(last - first, larger(1, chunks)), kTileRows);
      for (int64_t row = first; row < last; row += size) {
        const Chunk chunk{phase, block, row, smaller(size, last - row)};
        fill_places(chunk, room);
        for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
          const OutputPlanes output = planes_of(data, block, group, panel);
          const float* weights =
              phase.packed + (group * weights_.panels.padded() + weights_.panels.begin(panel)) * phase.depth;
          multiply_chunk(chunk, room, output, weights, weights_.panels.width(panel), panel - panels.begin);
          finish_chunk(chunk, room, output, weights_.panels.width(panel));
        }
      }
    });
  }

  OutputPlanes planes_of(const CorrelationData& data, const Block& block, int64_t group, int64_t panel) const {
    const int64_t first = weights_.panels.begin(panel);
    return {block.output + first * output_plane(), output_plane(), weights_.panels.lanes(panel),
            data.bias == nullptr ? nullptr : data.bias + group * weights_.planes + first, data.bounds};
  }

  void fill_distances(const CorrelationWeights::Phase& phase, int64_t* at) const {
    const int64_t taps = phase.depth / weights_.channels;
    for (int64_t r = 0, tap = 0; r < weights_.height.extent.taps; ++r) {
      if (!weights_.height.meets(phase.y, r)) continue;
      for (int64_t s = 0; s < weights_.width.extent.taps; ++s) {
        if (!weights_.width.meets(phase.x, s)) continue;
        const int64_t pixel = source_.place(weights_.height.shift(phase.y, r), weights_.width.shift(phase.x, s));
        for (int64_t channel = 0; channel < weights_.channels; ++channel) {
          at[tap * weights_.tap_step() + channel * weights_.channel_step(taps)] =
              pixel + channel * source_.channel_step();
        }
        ++tap;
      }
    }
  }

  void fill_places(const Chunk& chunk, const Room& room) const {
    const CorrelationWeights::Phase& phase = chunk.phase;
    const int64_t pixels = phase.height * phase.width,
                  output_image = weights_.groups * weights_.planes * output_plane();
    for (int64_t i = 0; i < chunk.count;) {
      const int64_t pixel = chunk.begin + i, image = pixel / pixels, y = pixel % pixels / phase.width,
                    x = pixel % phase.width, end = smaller(chunk.count, i + phase.width - x);
      int64_t from = place(chunk.block, image, y, x),
              to = image * output_image + (phase.y + y * weights_.height.out_step()) * weights_.width.output() +
                   phase.x + x * weights_.width.out_step();
      for (; i < end; ++i, from += weights_.width.step() * source_.pixel_step(), to += weights_.width.out_step()) {
        room.from[i] = from;
        room.to[i] = to;
      }
    }
  }

  /// Where a pixel of a phase's grid lies in the block's source.
  CORTADO_INLINE int64_t place(const Block& block, int64_t image, int64_t y, int64_t x) const {
    return image * block.image_stride + source_.distance(y * weights_.height.step(), x * weights_.width.step());
  }

  /// The chunk's products with one panel of weights, number `turn` of those that it meets.
  void multiply_chunk(const Chunk& chunk, const Room& room, const OutputPlanes& output, const float* weights,
                      int64_t width, int64_t turn) const {
    const int64_t steps = larger(1, divide_up(chunk.phase.depth, kDepth));
    for (int64_t step = 0; step < steps; ++step) {
      const Part depth = part_of(chunk.phase.depth, step, steps);
      for (int64_t row = 0; row < chunk.count;) {
        const int tile = tile_height(chunk.count - row);
        TileRows rows;
        for (int i = 0; i < tile; ++i) rows.row[i] = chunk.block.source + room.from[row + i];
        rows.ahead = next_source(chunk, row, turn);
        if (step == 0) output.call(row, chunk.count, [&](int64_t last) { return room.to[last]; });
        multiply_tile(tile, width,
                      {rows,
                       room.at + depth.begin,
                       depth.end - depth.begin,
                       {weights + depth.begin * width, width},
                       {room.products + row * width, width, step > 0}});
        row += tile;
      }
    }
  }

  /// What the tile at `row` calls to the cache for the next chunk: its first pixel's source there, or, with a second
  /// panel, one half a tile on. Where the source has a frame it was copied and is near already.
  const float* next_source(const Chunk& chunk, int64_t row, int64_t turn) const {
    if (source_.framed() || turn > 1) return nullptr;
    const int64_t pixel = chunk.begin + chunk.count + row + turn * kTileRows / 2, width = chunk.phase.width;
    const int64_t image = pixel / (chunk.phase.height * width), y = pixel / width % chunk.phase.height;
    if (chunk.block.begin + image >= images_) return nullptr;
    return chunk.block.source + place(chunk.block, image, y, pixel % width);
  }

  void finish_chunk(const Chunk& chunk, const Room& room, const OutputPlanes& output, int64_t width) const {
    for (int64_t row = 0; row < chunk.count; row += kLanes) {
      const int64_t pixels = smaller(kLanes, chunk.count - row), *to = room.to + row;
      if (to[pixels - 1] - to[0] == pixels - 1) {
        output.put(room.products + row * width, width, pixels, to[0]);
      } else {
        output.scatter(room.products + row * width, width, pixels, to);
      }
    }
  }

  CorrelationWeights weights_;
  bool packed_;
  SourceFrame source_;
  int64_t images_;
  bool shared_;  // all threads fill the frames of all images, or each those of its own
  Grid grid_;
  int64_t block_images_, block_parts_;  // images in a block; parts into which threads divide a block's pixels
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
