// C = A B^T for a tall B and a short A: every row of B against every row of A. What an inner product layer is.
//
// The product is made as B A^T: B, the weights, is read where it lies, once for some 100 of A's rows, and only
// the small A is packed.
#pragma once

#include "../core/kernel.h"
#include "gemm_grid.h"
#include "gemm_pack.h"

namespace cortado::CORTADO_ISA {
namespace {

/// C (rows, columns) = A (rows, depth) B (columns, depth)^T + bias, rectified if relu; all row-major without gaps, bias
/// one number a column or nullptr.
class RowsProduct {
 public:
  RowsProduct(int64_t rows, int64_t columns, int64_t depth, int threads)
      : columns_(columns), depth_(depth), panels_(rows), threads_(threads) {}

  size_t scratch() const {
    Scratch scratch(nullptr);
    for (int i = 0; i < threads_; ++i) Room(scratch, *this);
    return scratch.bytes();
  }

  void run(const Run& run, const float* a, const float* b, const float* bias, bool relu, float* c) const {
    on_every_thread(run.threads, [&](int thread, int) {
      Scratch scratch(run.scratch);
      for (int i = 0; i < thread; ++i) Room(scratch, *this);
      const Room room(scratch, *this);
      const Part bands = part_of(divide_up(columns_, kTileRows), thread, threads_);
      const Part columns{bands.begin * kTileRows, smaller(columns_, bands.end * kTileRows)};
      const int64_t blocks = divide_up(panels_.count, kBlockPanels),
                    slices = divide_up(columns.end - columns.begin, kSlice);
      for (int64_t i = 0; i < blocks; ++i) {
        for (int64_t j = 0; j < slices; ++j) {
          const Part block = part_of(panels_.count, i, blocks);
          const Part slice{columns.begin + j * kSlice, smaller(columns.end, columns.begin + (j + 1) * kSlice)};
          multiply(a, b, room, slice, block);
          finish(room, bias, relu, c, slice, block);
        }
      }
    });
  }

 private:
  static constexpr int64_t kBlockPanels = 12 / kTileVectors;  // panels of A in the second-level cache
  static constexpr int64_t kDepth = 512;                      // addends summed in registers at once
  static constexpr int64_t kSlice = 512;  // columns of C whose sums wait in cache for their last addend

  /// A thread's own scratch: a block of A; its products with a slice of B.
  struct Room {
    float *a, *products;
    Room(Scratch& scratch, const RowsProduct& p)
        : a(scratch.take<float>(kDepth * p.block_width())), products(scratch.take<float>(kSlice * p.block_width())) {}
  };

  int64_t block_width() const { return smaller(kBlockPanels * kPanel, panels_.padded()); }

  /// products(column, row), a panel of rows after the other.
  void multiply(const float* a, const float* b, const Room& room, const Part& slice, const Part& panels) const {
    const int64_t steps = larger(1, divide_up(depth_, kDepth)), first = panels_.begin(panels.begin);
    for (int64_t step = 0; step < steps; ++step) {
      const Part depth = part_of(depth_, step, steps);
      const int64_t size = depth.end - depth.begin;
      for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
        pack_transposed(a + panels_.begin(panel) * depth_ + depth.begin, depth_, panels_.lanes(panel), size,
                        room.a + (panels_.begin(panel) - first) * size, panels_.width(panel));
      }
      for (int64_t column = slice.begin; column < slice.end;) {
        const int height = tile_height(slice.end - column);
        TileRows rows;
        for (int i = 0; i < height; ++i) rows.row[i] = b + (column + i) * depth_ + depth.begin;
        for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
          const int64_t width = panels_.width(panel), offset = panels_.begin(panel) - first;
          multiply_tile(height, width,
                        {rows,
                         nullptr,
                         size,
                         {room.a + offset * size, width},
                         {products(room, offset, column - slice.begin, width), width, step > 0}});
        }
        column += height;
      }
    }
  }

  CORTADO_INLINE float* products(const Room& room, int64_t offset, int64_t column, int64_t width) const {
    return room.products + offset * kSlice + column * width;
  }

  void finish(const Room& room, const float* bias, bool relu, float* c, const Part& slice, const Part& panels) const {
    for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
      const int64_t width = panels_.width(panel), offset = panels_.begin(panel) - panels_.begin(panels.begin);
      float* to = c + panels_.begin(panel) * columns_ + slice.begin;
      each_column(products(room, offset, 0, width), width, slice.end - slice.begin, panels_.lanes(panel),
                  [&](int64_t row, int64_t column, int64_t count, Vf v) {
                    if (bias != nullptr) v += load_part(bias + slice.begin + column, count);
                    store_part(to + row * columns_ + column, relu ? max(zero(), v) : v, count);
                  });
    }
  }

  int64_t columns_, depth_;
  Panels panels_;  // of A's rows
  int threads_;
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
