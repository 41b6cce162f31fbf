// C = A B for a row-major B: packed, blocked for the caches, divided among threads by blocks of C.
#pragma once

#include "../core/kernel.h"
#include "gemm_grid.h"
#include "gemm_pack.h"

namespace cortado::CORTADO_ISA {
namespace {

/// A matrix as it lies, A(i, k) = data[i * stride + k], or transposed, A(i, k) = data[k * stride + i].
struct LeftFactor {
  const float* data;
  int64_t stride;
  bool transposed;
};

/// C (rows, columns) = A (rows, depth) B (depth, columns), finished; B and C row-major without gaps.
class Product {
 public:
  Product(int64_t rows, int64_t columns, int64_t depth, int threads)
      : rows_(rows),
        depth_(depth),
        panels_(columns),
        grid_(make_grid(threads, tiles(), panels_, 1, rows > columns)),
        block_panels_(kept() && 2 * depth > kDepth ? kBlockPanels : 2 * kBlockPanels) {}

  size_t scratch() const {
    Scratch scratch(nullptr);
    for (int i = 0; i < grid_.rows * grid_.columns; ++i) Room(scratch, *this);
    return scratch.bytes();
  }

  void run(const Run& run, const LeftFactor& a, const float* b, const Finish& finish, float* c) const {
    on_every_thread(run.threads, [&](int thread, int) { share(run.scratch, thread, a, b, finish, c); });
  }

  /// What one of the threads does. Nobody waits for others.
  void share(void* room_of_all, int thread, const LeftFactor& a, const float* b, const Finish& finish, float* c) const {
    Scratch scratch(room_of_all);
    for (int i = 0; i < thread; ++i) Room(scratch, *this);
    const Room room(scratch, *this);
    const Part bands = grid_.row_part(tiles(), thread);
    const Part rows{bands.begin * kTileRows, smaller(rows_, bands.end * kTileRows)};
    const Part panels = grid_.column_part(panels_.count, thread);
    const int64_t blocks = divide_up(panels.end - panels.begin, block_panels_);
    const Result result{c, !finish.any() && streams(c), finish};
    for (int64_t i = 0; i < blocks; ++i) {
      const Part part = part_of(panels.end - panels.begin, i, blocks);
      const Part block{panels.begin + part.begin, panels.begin + part.end};
      multiply(a, b, result, room, rows, block);
    }
    stream_end();
  }

 private:
  static constexpr int64_t kDepth = 256;                             // addends summed in registers at once
  static constexpr int64_t kBlockRows = 64 / kTileRows * kTileRows;  // rows of A in the second-level cache
  static constexpr int64_t kRowsAhead = 3;                           // of A, called while one is copied
  // Panels of B in the second-level cache; twice as many where few addends or rows leave room.
  static constexpr int64_t kBlockPanels = 36 / kTileVectors;
  // Addends that are done before C can be there: where a panel has fewer, its tiles call the panel as many addends on.
  static constexpr int64_t kShort = 64;
  static constexpr int64_t kStreamed = 1 << 20;  // numbers of C that leave the caches before anyone reads them
  static constexpr int64_t kRowStride = kDepth + kLanes;

  /// A thread's own scratch: a block of A, a block of B, a tile at C's right edge.
  struct Room {
    float *a, *b, *edge;
    Room(Scratch& scratch, const Product& p)
        : a(scratch.take<float>(kBlockRows * kRowStride)),
          b(scratch.take<float>(p.slice() * smaller(p.kept() ? p.block_panels_ * kPanel : kPanel, p.panels_.padded()))),
          edge(scratch.take<float>(kTileRows * kPanel)) {}
  };

  struct Result {
    float* data;
    bool stream;  // past the caches
    Finish finish;
  };

  /// A block of C for one slice of the depth.
  struct Block {
    Part rows, panels, depth;
    int64_t size() const { return depth.end - depth.begin; }
  };

  CORTADO_INLINE int64_t tiles() const { return divide_up(rows_, kTileRows); }
  /// Addends of the longest slice of the depth.
  CORTADO_INLINE int64_t slice() const { return smaller(kDepth, larger(1, depth_)); }
  /// Whether panels of B are multiplied by more than one block of A.
  CORTADO_INLINE bool kept() const { return rows_ > kBlockRows; }
  /// Whether C is written once, in vectors that are whole cache lines (pieces of one that other tiles complete would go
  /// to memory one by one), and too large to be found in a cache.
  CORTADO_INLINE bool streams(const float* c) const {
    return sizeof(Vf) == 64 && depth_ <= kDepth && rows_ * panels_.columns >= kStreamed &&
           panels_.columns % kLanes == 0 && reinterpret_cast<uintptr_t>(c) % sizeof(Vf) == 0;
  }

  void multiply(const LeftFactor& a, const float* b, const Result& c, const Room& room, const Part& rows,
                const Part& panels) const {
    const int64_t steps = larger(1, divide_up(depth_, kDepth));
    for (int64_t step = 0; step < steps; ++step) {
      const Part depth = part_of(depth_, step, steps);
      for (int64_t row = rows.begin; row < rows.end; row += kBlockRows) {
        const Block block{{row, smaller(rows.end, row + kBlockRows)}, panels, depth};
        gather(a, room, block);
        for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
          multiply_panel(c, room, block, panel, row == rows.begin ? b : nullptr);
        }
      }
    }
  }

  /// Copies a block of A, so that rows a power of two apart do not fight for the same places of the caches.
  void gather(const LeftFactor& a, const Room& room, const Block& block) const {
    const int64_t rows = block.rows.end - block.rows.begin, size = block.size();
    if (a.transposed) {
      pack_transposed(a.data + block.depth.begin * a.stride + block.rows.begin, a.stride, size, rows, room.a,
                      kRowStride);
      return;
    }
    const float* from = a.data + block.rows.begin * a.stride + block.depth.begin;
    for (int64_t row = 0; row < rows; ++row, from += a.stride) {
      const float* ahead = from + (row + kRowsAhead < rows ? kRowsAhead * a.stride : 0);
      for (int64_t k = 0; k < size; k += 16) __builtin_prefetch(ahead + k);
      pack_straight(from, a.stride, size, 1, room.a + row * kRowStride, kRowStride);
    }
  }

  /// b is given with the first block of A, whose first tile packs the panel; the tiles below it fetch the next.
  void multiply_panel(const Result& c, const Room& room, const Block& block, int64_t panel, const float* b) const {
    const int64_t width = panels_.width(panel), lanes = panels_.lanes(panel), columns = panels_.columns;
    const int64_t first = panels_.begin(block.panels.begin), column = panels_.begin(panel);
    float* const packed = room.b + (kept() ? (column - first) * block.size() : 0);
    const bool last = block.depth.end == depth_;
    Tile tile;  // its rows are filled in below: zeros before would take as long as eight addends
    tile.at = nullptr;
    tile.depth = block.size();
    tile.b = {packed, width, nullptr, columns};
    const float *from = nullptr, *next = nullptr;
    if (b != nullptr) {
      from = b + block.depth.begin * columns + column;
      next = panel + 1 < block.panels.end ? from + width : b + block.depth.end * columns + first;
      if (lanes < width) {
        pack_straight(from, columns, lanes, block.size(), packed, width);
      } else {
        tile.b = {from, columns, nullptr, columns, packed};
      }
    }
    int64_t line = -1;
    for (int64_t row = block.rows.begin; row < block.rows.end; ++line) {
      const int height = tile_height(block.rows.end - row);
      if (line == 0) tile.b = {packed, width, nullptr, columns};
      if (next != nullptr && line >= 0) tile.b.ahead = line < kTileVectors ? next + line * kLanes : nullptr;
      const float* left = room.a + (row - block.rows.begin) * kRowStride;
      for (int i = 0; i < height; ++i, left += kRowStride) tile.a.row[i] = left;
      const TileOut to{c.data + row * columns + column,
                       columns,
                       block.depth.begin > 0,
                       c.stream,
                       last ? c.finish.at(row, column) : Finish{},
                       kShort / larger(1, block.size()) * width};
      if (lanes == width) {
        tile.c = to;
        multiply_tile(height, width, tile);
      } else {
        tile.c = {room.edge, width, false};
        multiply_tile(height, width, tile);
        put_edge(room.edge, width, height, lanes, to);
      }
      row += height;
    }
  }

  /// A tile that is wider than what is left of C.
  void put_edge(const float* edge, int64_t width, int height, int64_t lanes, const TileOut& to) const {
    for (int i = 0; i < height; ++i) {
      for (int64_t j = 0; j < lanes; j += kLanes) {
        const int64_t count = smaller(kLanes, lanes - j);
        float* const place = to.data + i * to.stride + j;
        Vf v = load(edge + i * width + j);
        if (to.add) v += load_part(place, count);
        if (to.finish.bias != nullptr) {
          v += to.finish.of_rows ? splat(to.finish.bias[i]) : load_part(to.finish.bias + j, count);
        }
        store_part(place, to.finish.bounds.hold(v), count);
      }
    }
  }

  int64_t rows_, depth_;
  Panels panels_;
  Grid grid_;
  int64_t block_panels_;
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
