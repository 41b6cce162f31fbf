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

/// C (rows, columns) = A (rows, depth) B (depth, columns) + bias, rectified if relu; B and C row-major without gaps,
/// bias one number a column or nullptr.
class Product {
 public:
  Product(int64_t rows, int64_t columns, int64_t depth, int threads)
      : rows_(rows), depth_(depth), panels_(columns), grid_(make_grid(threads, tiles(), panels_, 1, rows > columns)) {}

  size_t scratch() const {
    Scratch scratch(nullptr);
    for (int i = 0; i < grid_.rows * grid_.columns; ++i) Room(scratch, *this);
    return scratch.bytes();
  }

  void run(const Run& run, const LeftFactor& a, const float* b, const float* bias, bool relu, float* c) const {
    on_every_thread(run.threads, [&](int thread, int) {
      Scratch scratch(run.scratch);
      for (int i = 0; i < thread; ++i) Room(scratch, *this);
      const Room room(scratch, *this);
      const Part bands = grid_.row_part(tiles(), thread);
      const Part rows{bands.begin * kTileRows, smaller(rows_, bands.end * kTileRows)};
      const Part panels = grid_.column_part(panels_.count, thread);
      const int64_t blocks = divide_up(panels.end - panels.begin, kBlockPanels);
      for (int64_t i = 0; i < blocks; ++i) {
        const Part part = part_of(panels.end - panels.begin, i, blocks);
        const Part block{panels.begin + part.begin, panels.begin + part.end};
        multiply(a, b, c, room, rows, block);
        finish(bias, relu, c, rows, block);
      }
    });
  }

 private:
  static constexpr int64_t kBlockPanels = 8;  // panels of B in the second-level cache
  static constexpr int64_t kBlockRows = 64;   // rows of A there
  static constexpr int64_t kDepth = 256;      // addends summed in registers at once
  static constexpr int64_t kRowStride = kDepth + kLanes;

  /// A thread's own scratch: a block of A and the distances along its depth, a block of B, a tile at C's right edge.
  struct Room {
    int64_t* at;
    float *a, *b, *edge;
    Room(Scratch& scratch, const Product& p)
        : at(scratch.take<int64_t>(kDepth)),
          a(scratch.take<float>(kBlockRows * kRowStride)),
          b(scratch.take<float>(kDepth * smaller(kBlockPanels * kPanel, p.panels_.padded()))),
          edge(scratch.take<float>(kTileRows * kPanel)) {}
  };

  /// A block of C for one slice of the depth.
  struct Block {
    Part rows, panels, depth;
    int64_t size() const { return depth.end - depth.begin; }
  };

  CORTADO_INLINE int64_t tiles() const { return divide_up(rows_, kTileRows); }
  void multiply(const LeftFactor& a, const float* b, float* c, const Room& room, const Part& rows,
                const Part& panels) const {
    const int64_t steps = larger(1, divide_up(depth_, kDepth));
    for (int64_t step = 0; step < steps; ++step) {
      const Part depth = part_of(depth_, step, steps);
      pack(b, room, panels, depth);
      const float* ahead = step + 1 < steps ? b + depth.end * panels_.columns : nullptr;
      for (int64_t row = rows.begin; row < rows.end; row += kBlockRows) {
        const Block block{{row, smaller(rows.end, row + kBlockRows)}, panels, depth};
        gather(a, room, block);
        for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
          multiply_panel(c, room, block, a.transposed ? 1 : kRowStride, panel, ahead);
        }
      }
    }
  }

  /// Row after row through all panels, which is how the memory likes to be read.
  void pack(const float* b, const Room& room, const Part& panels, const Part& depth) const {
    const int64_t size = depth.end - depth.begin, first = panels_.begin(panels.begin);
    for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
      const int64_t begin = panels_.begin(panel);
      pack_straight(b + depth.begin * panels_.columns + begin, panels_.columns, panels_.lanes(panel), size,
                    room.b + (begin - first) * size, panels_.width(panel));
    }
  }

  /// Copies a block of A as it lies, so that rows a power of two apart do not fight for the same places of the caches.
  void gather(const LeftFactor& a, const Room& room, const Block& block) const {
    const int64_t rows = block.rows.end - block.rows.begin, size = block.size();
    if (a.transposed) {
      pack_straight(a.data + block.depth.begin * a.stride + block.rows.begin, a.stride, rows, size, room.a, kBlockRows);
    } else {
      pack_straight(a.data + block.rows.begin * a.stride + block.depth.begin, a.stride, size, rows, room.a, kRowStride);
    }
    for (int64_t k = 0; k < size; ++k) room.at[k] = k * (a.transposed ? kBlockRows : 1);
  }

  void multiply_panel(float* c, const Room& room, const Block& block, int64_t row_stride, int64_t panel,
                      const float* ahead) const {
    const float* b = room.b + (panels_.begin(panel) - panels_.begin(block.panels.begin)) * block.size();
    const int64_t width = panels_.width(panel), lanes = panels_.lanes(panel);
    const bool add = block.depth.begin > 0;
    for (int64_t row = block.rows.begin; row < block.rows.end;) {
      const int height = tile_height(block.rows.end - row);
      float* to = c + row * panels_.columns + panels_.begin(panel);
      Tile tile{{}, room.at, block.size(), {b, width}, {to, panels_.columns, add}};
      if (ahead != nullptr) {
        const int64_t line = (row - block.rows.begin) / kTileRows % (kPanel / kLanes) * kLanes;
        tile.b.ahead = ahead + panels_.begin(panel) + line;
        tile.b.ahead_stride = panels_.columns;
      }
      for (int i = 0; i < height; ++i) tile.a.row[i] = room.a + (row - block.rows.begin + i) * row_stride;
      if (lanes == width) {
        multiply_tile(height, width, tile);
      } else {
        tile.c = {room.edge, width, false};
        multiply_tile(height, width, tile);
        put_edge(room.edge, width, height, lanes, to, add);
      }
      row += height;
    }
  }

  /// A tile that is wider than what is left of C.
  void put_edge(const float* edge, int64_t width, int height, int64_t lanes, float* to, bool add) const {
    for (int i = 0; i < height; ++i) {
      for (int64_t j = 0; j < lanes; j += kLanes) {
        const int64_t count = smaller(kLanes, lanes - j);
        float* row = to + i * panels_.columns + j;
        const Vf v = load(edge + i * width + j);
        store_part(row, add ? load_part(row, count) + v : v, count);
      }
    }
  }

  void finish(const float* bias, bool relu, float* c, const Part& rows, const Part& panels) const {
    if (bias == nullptr && !relu) return;
    const int64_t begin = panels_.begin(panels.begin), end = smaller(panels_.columns, panels_.begin(panels.end));
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      for (int64_t j = begin; j < end; j += kLanes) {
        const int64_t count = smaller(kLanes, end - j);
        float* to = c + row * panels_.columns + j;
        Vf v = load_part(to, count);
        if (bias != nullptr) v += load_part(bias + j, count);
        store_part(to, relu ? max(zero(), v) : v, count);
      }
    }
  }

  int64_t rows_, depth_;
  Panels panels_;
  Grid grid_;
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
