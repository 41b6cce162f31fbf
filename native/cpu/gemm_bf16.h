// C = A B in bfloat16 for a short A: B, floats, is paired and packed block by block, and the next block of it fetched
// while this one is multiplied. What the input gradient of an inner product layer is.
#pragma once

#include "../core/kernel.h"
#include "gemm_tile_bf16.h"

namespace cortado::CORTADO_ISA {
namespace {

/// C (rows, columns) = A (rows, depth) B (depth, columns), all row-major without gaps.
class ProductBf16 {
 public:
  ProductBf16(int64_t rows, int64_t columns, int64_t depth, int threads)
      : rows_(rows),
        depth_(depth),
        stride_(round_up(depth, 2) + 64),
        panels_(columns),
        grid_(make_grid(threads, tiles(), panels_, 1, rows > columns)) {}

  size_t scratch() const {
    Scratch scratch(nullptr);
    scratch.take<uint16_t>(rows_ * stride_);
    for (int i = 0; i < grid_.rows * grid_.columns; ++i) Room(scratch, *this);
    return scratch.bytes();
  }

  void run(const Run& run, const float* a, const float* b, float* c) const {
    Scratch shared(run.scratch);
    uint16_t* const rounded = shared.take<uint16_t>(rows_ * stride_);
    for_slices(run.threads, rows_, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) round_row(a + i * depth_, depth_, rounded + i * stride_);
    });
    on_every_thread(run.threads, [&](int thread, int) {
      Scratch scratch = shared;
      for (int i = 0; i < thread; ++i) Room(scratch, *this);
      const Room room(scratch, *this);
      for (int64_t k = 0; k < kDepth; ++k) room.at[k] = 2 * k;
      const Part bands = grid_.row_part(tiles(), thread);
      const Part rows{bands.begin * kTileRows, smaller(rows_, bands.end * kTileRows)};
      const Part panels = grid_.column_part(panels_.count, thread);
      const int64_t blocks = divide_up(panels.end - panels.begin, kBlockPanels);
      for (int64_t i = 0; i < blocks; ++i) {
        const Part part = part_of(panels.end - panels.begin, i, blocks);
        multiply(rounded, b, c, room, rows, {panels.begin + part.begin, panels.begin + part.end});
      }
    });
  }

 private:
  // Panels of B in the second-level cache, 512 columns if they are of three vectors of 16: Ahead's rows of lines.
  static constexpr int64_t kBlockPanels = 33 / kTileVectors;
  static constexpr int64_t kDepth = 128;  // pairs summed in registers at once

  /// A thread's own scratch: 0, 2, 4, ...; a block of B; a tile at C's right edge.
  struct Room {
    int64_t* at;
    Pair* b;
    float* edge;
    Room(Scratch& scratch, const ProductBf16& p)
        : at(scratch.take<int64_t>(kDepth)),
          b(scratch.take<Pair>(kDepth * smaller(kBlockPanels * kPanel, p.panels_.padded()))),
          edge(scratch.take<float>(kTileRows * kPanel)) {}
  };

  CORTADO_INLINE int64_t tiles() const { return divide_up(rows_, kTileRows); }

  void multiply(const uint16_t* a, const float* b, float* c, const Room& room, const Part& rows,
                const Part& panels) const {
    const int64_t pairs = pairs_of(depth_), steps = divide_up(pairs, kDepth);
    for (int64_t step = 0; step < steps; ++step) {
      const Part depth = part_of(pairs, step, steps);
      pack(b, room, panels, depth);
      const float* const corner = b + panels_.begin(panels.begin);
      int64_t next = 2 * depth.end;
      for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
        for (int64_t row = rows.begin; row < rows.end;) {
          const int height = tile_height(rows.end - row);
          const bool fetch = next < smaller(depth_, 2 * depth.end + 2 * kDepth);
          const Ahead ahead{fetch ? corner + next * panels_.columns : nullptr,
                            panels_.columns * int64_t{sizeof(float)}};
          multiply_tile(a, c, room, {row, row + height}, panels.begin, panel, depth, ahead);
          row += height;
          next += kDepth / Ahead::kRowLines;
        }
      }
    }
  }

  /// Row after row through all panels, which is how the memory likes to be read.
  void pack(const float* b, const Room& room, const Part& panels, const Part& depth) const {
    const int64_t size = depth.end - depth.begin, first = panels_.begin(panels.begin);
    for (int64_t k = 0; k < size; ++k) {
      const int64_t row = 2 * (depth.begin + k);
      const float* low = b + row * panels_.columns;
      const float* high = row + 1 < depth_ ? low + panels_.columns : nullptr;
      for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
        const int64_t begin = panels_.begin(panel), width = panels_.width(panel);
        pair_rows(low + begin, high == nullptr ? nullptr : high + begin, panels_.lanes(panel),
                  room.b + (begin - first) * size + k * width);
      }
    }
  }

  void multiply_tile(const uint16_t* a, float* c, const Room& room, const Part& rows, int64_t first, int64_t panel,
                     const Part& depth, const Ahead& ahead) const {
    const int height = static_cast<int>(rows.end - rows.begin);
    const int64_t size = depth.end - depth.begin, begin = panels_.begin(panel), width = panels_.width(panel),
                  lanes = panels_.lanes(panel), stride = panels_.columns;
    const bool add = depth.begin > 0;
    float* to = c + rows.begin * stride + begin;
    PairTile tile{{}, room.at, size, {room.b + (begin - panels_.begin(first)) * size, width}, {to, stride, add}, ahead};
    for (int i = 0; i < height; ++i) tile.a.row[i] = a + (rows.begin + i) * stride_ + 2 * depth.begin;
    if (lanes == width) return multiply_pairs(height, width, tile);
    tile.c = {room.edge, width, false};
    multiply_pairs(height, width, tile);
    for (int i = 0; i < height; ++i) {
      for (int64_t j = 0; j < lanes; j += kLanes) {
        const int64_t count = smaller(kLanes, lanes - j);
        const Vf v = load(room.edge + i * width + j);
        store_part(to + i * stride + j, add ? load_part(to + i * stride + j, count) + v : v, count);
      }
    }
  }

  int64_t rows_, depth_, stride_;
  Panels panels_;
  Grid grid_;
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
