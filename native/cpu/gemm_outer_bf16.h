// C = A^T B in bfloat16 for short A and B: few rows, whose outer products add up to a large C. What the weight gradient
// of an inner product layer is. C is written once, past the caches: it is larger than they are.
#pragma once

#include "../core/kernel.h"
#include "gemm_tile_bf16.h"

namespace cortado::CORTADO_ISA {
namespace {

/// C (rows, columns) = A (depth, rows)^T B (depth, columns), all row-major without gaps.
class OuterProductBf16 {
 public:
  OuterProductBf16(int64_t rows, int64_t columns, int64_t depth, int threads)
      : rows_(rows),
        depth_(depth),
        pairs_(pairs_of(depth)),
        stride_(round_up(pairs_, kLanes)),
        panels_(columns),
        grid_(make_grid(threads, tiles(), panels_, 1, rows > columns)) {}

  size_t scratch() const {
    Scratch scratch(nullptr);
    Room(scratch, *this);
    for (int i = 0; i < grid_.rows * grid_.columns; ++i) scratch.take<float>(kTileRows * kPanel);
    return scratch.bytes();
  }

  void run(const Run& run, const float* a, const float* b, float* c) const {
    Scratch scratch(run.scratch);
    const Room room(scratch, *this);
    float* const tiles_of_all = scratch.take<float>(kTileRows * kPanel * run.threads.count());
    for (int64_t k = 0; k < pairs_; ++k) room.at[k] = 2 * k;
    on_every_thread(run.threads, [&](int thread, int threads) {
      pack_left(a, room, part_of(divide_up(rows_, kLeftRows), thread, threads));
      pack_right(b, room, part_of(panels_.count, thread, threads));
    });
    on_every_thread(run.threads, [&](int thread, int) {
      const Part bands = grid_.row_part(tiles(), thread), panels = grid_.column_part(panels_.count, thread);
      const Part rows{bands.begin * kTileRows, smaller(rows_, bands.end * kTileRows)};
      float* const tile = tiles_of_all + thread * kTileRows * kPanel;
      for (int64_t row = rows.begin; row < rows.end;) {
        const int height = tile_height(rows.end - row);
        for (int64_t panel = panels.begin; panel < panels.end; ++panel) multiply(room, tile, row, height, panel, c);
        row += height;
      }
      stream_end();
    });
  }

 private:
  static constexpr int64_t kLeftRows = 4 * kLanes;  // of A^T, transposed at once

  /// Shared scratch: 0, 2, 4, ...; A transposed, [row][pair]; B in panels, [panel][pair][column]; room to transpose in.
  struct Room {
    int64_t* at;
    Pair *left, *right, *stage;
    Room(Scratch& scratch, const OuterProductBf16& p)
        : at(scratch.take<int64_t>(p.pairs_)),
          left(scratch.take<Pair>(p.rows_ * p.stride_)),
          right(scratch.take<Pair>(p.pairs_ * p.panels_.padded())),
          stage(scratch.take<Pair>(p.pairs_ * round_up(p.rows_, kLeftRows))) {}
  };

  CORTADO_INLINE int64_t tiles() const { return divide_up(rows_, kTileRows); }
  /// The second row of pair k of a factor, if there is one.
  const float* second(const float* factor, int64_t k, int64_t columns) const {
    return 2 * k + 1 < depth_ ? factor + (2 * k + 1) * columns : nullptr;
  }

  void pack_left(const float* a, const Room& room, const Part& blocks) const {
    for (int64_t block = blocks.begin; block < blocks.end; ++block) {
      const int64_t row = block * kLeftRows, count = smaller(kLeftRows, rows_ - row);
      Pair* const stage = room.stage + pairs_ * row;
      for (int64_t k = 0; k < pairs_; ++k) {
        const float* high = second(a, k, rows_);
        pair_rows(a + 2 * k * rows_ + row, high == nullptr ? nullptr : high + row, count, stage + k * kLeftRows);
      }
      pack_transposed(stage, kLeftRows, pairs_, count, room.left + row * stride_, stride_);
    }
  }

  void pack_right(const float* b, const Room& room, const Part& panels) const {
    for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
      const int64_t begin = panels_.begin(panel), width = panels_.width(panel), columns = panels_.columns;
      for (int64_t k = 0; k < pairs_; ++k) {
        const float* high = second(b, k, columns);
        pair_rows(b + 2 * k * columns + begin, high == nullptr ? nullptr : high + begin, panels_.lanes(panel),
                  room.right + begin * pairs_ + k * width);
      }
    }
  }

  void multiply(const Room& room, float* products, int64_t row, int height, int64_t panel, float* c) const {
    const int64_t begin = panels_.begin(panel), width = panels_.width(panel), lanes = panels_.lanes(panel);
    PairTile tile{{}, room.at, pairs_, {room.right + begin * pairs_, width}, {products, width, false}, {}};
    for (int i = 0; i < height; ++i) {
      tile.a.row[i] = reinterpret_cast<const uint16_t*>(room.left + (row + i) * stride_);
    }
    multiply_pairs(height, width, tile);
    const bool aligned = panels_.columns % kLanes == 0 && reinterpret_cast<uintptr_t>(c) % (4 * kLanes) == 0;
    for (int i = 0; i < height; ++i) {
      float* to = c + (row + i) * panels_.columns + begin;
      for (int64_t j = 0; j < lanes; j += kLanes) {
        const Vf v = load(products + i * width + j);
        if (aligned) {
          store_stream(to + j, v);
        } else {
          store_lanes(to + j, v, smaller(kLanes, lanes - j));
        }
      }
    }
  }

  int64_t rows_, depth_, pairs_, stride_;
  Panels panels_;
  Grid grid_;
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
