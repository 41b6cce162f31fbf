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

/// What is done to a product: a bias (or nullptr) added, one number for each row or for each column, then rectified if
/// relu.
struct Finish {
  const float* bias = nullptr;
  bool of_rows = false, relu = false;
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
    const Result result{c, finish.bias == nullptr && !finish.relu && streams(c)};
    for (int64_t i = 0; i < blocks; ++i) {
      const Part part = part_of(panels.end - panels.begin, i, blocks);
      const Part block{panels.begin + part.begin, panels.begin + part.end};
      multiply(a, b, result, room, rows, block);
      put_finish(finish, c, rows, block);
    }
    stream_end();
  }

 private:
  static constexpr int64_t kDepth = 256;       // addends summed in registers at once
  static constexpr int64_t kBlockRows = 64;    // rows of A in the second-level cache
  static constexpr int64_t kBlockPanels = 12;  // panels of B there; twice as many where few addends or rows leave room
  static constexpr int64_t kStreamed = 1 << 20;  // numbers of C that leave the caches before anyone reads them
  static constexpr int64_t kRowStride = kDepth + kLanes;

  /// A thread's own scratch: a block of A and the distances along its depth, a block of B, a tile at C's right edge.
  struct Room {
    int64_t* at;
    float *a, *b, *edge;
    Room(Scratch& scratch, const Product& p)
        : at(scratch.take<int64_t>(kDepth)),
          a(scratch.take<float>(kBlockRows * kRowStride)),
          b(scratch.take<float>(p.slice() * smaller(p.kept() ? p.block_panels_ * kPanel : kPanel, p.panels_.padded()))),
          edge(scratch.take<float>(kTileRows * kPanel)) {}
  };

  struct Result {
    float* data;
    bool stream;  // past the caches
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
          multiply_panel(c, room, block, a.transposed ? 1 : kRowStride, panel, row == rows.begin ? b : nullptr);
        }
      }
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

  /// b is given with the first block of A, whose first tile packs the panel; the tiles below it fetch the next.
  void multiply_panel(const Result& c, const Room& room, const Block& block, int64_t row_stride, int64_t panel,
                      const float* b) const {
    const int64_t width = panels_.width(panel), lanes = panels_.lanes(panel), columns = panels_.columns;
    const int64_t first = panels_.begin(block.panels.begin);
    float* const packed = room.b + (kept() ? (panels_.begin(panel) - first) * block.size() : 0);
    const bool add = block.depth.begin > 0;
    const float *from = nullptr, *next = nullptr;
    if (b != nullptr) {
      from = b + block.depth.begin * columns + panels_.begin(panel);
      next = panel + 1 < block.panels.end ? from + width : b + block.depth.end * columns + first;
      if (lanes < width) pack_straight(from, columns, lanes, block.size(), packed, width);
    }
    for (int64_t row = block.rows.begin; row < block.rows.end;) {
      const int height = tile_height(block.rows.end - row);
      float* to = c.data + row * columns + panels_.begin(panel);
      Tile tile{{}, room.at, block.size(), {packed, width}, {to, columns, add, c.stream}};
      const int64_t line = (row - block.rows.begin) / kTileRows - 1;
      if (b != nullptr && line < 0 && lanes == width) {
        tile.b = {from, columns, nullptr, 0, packed};
      } else if (b != nullptr && line >= 0 && line < kTileVectors) {
        tile.b.ahead = next + line * kLanes;
        tile.b.ahead_stride = columns;
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

  void put_finish(const Finish& finish, float* c, const Part& rows, const Part& panels) const {
    if (finish.bias == nullptr && !finish.relu) return;
    const int64_t begin = panels_.begin(panels.begin), end = smaller(panels_.columns, panels_.begin(panels.end));
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const Vf shift = finish.bias != nullptr && finish.of_rows ? splat(finish.bias[row]) : zero();
      for (int64_t j = begin; j < end; j += kLanes) {
        const int64_t count = smaller(kLanes, end - j);
        float* to = c + row * panels_.columns + j;
        Vf v = load_lanes(to, count);
        if (finish.bias != nullptr) v += finish.of_rows ? shift : load_lanes(finish.bias + j, count);
        store_lanes(to, finish.relu ? max(zero(), v) : v, count);
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
