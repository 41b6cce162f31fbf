// C = A B^T in bfloat16: gemm_rows.h's product, for a B that is read where it lies, as floats or already rounded.
//
// A is rounded, paired and packed once for all threads. B goes by once for every few panels of A's rows; what the next
// tile wants of it is fetched while this one is multiplied.
#pragma once

#include "../core/kernel.h"
#include "gemm_tile_bf16.h"

namespace cortado::CORTADO_ISA {
namespace {

/// B(column, k) = data[column * stride + k]. Rounded numbers have an even stride, and zeros up to it.
template <class Stored>
struct TallFactor {
  const Stored* data;
  int64_t stride;
};

/// C (rows, columns) = A (rows, depth) B (columns, depth)^T + bias, rectified if relu; A and C row-major without gaps,
/// bias one number a column or nullptr.
class RowsProductBf16 {
 public:
  RowsProductBf16(int64_t rows, int64_t columns, int64_t depth, int threads)
      : columns_(columns), depth_(depth), pairs_(pairs_of(depth)), panels_(rows), threads_(threads) {}

  size_t scratch() const {
    Scratch scratch(nullptr);
    scratch.take<Pair>(pairs_ * panels_.padded());
    for (int i = 0; i < threads_; ++i) Room(scratch, *this);
    return scratch.bytes();
  }

  template <class Stored>
  void run(const Run& run, const float* a, const TallFactor<Stored>& b, const float* bias, bool relu, float* c) const {
    Scratch shared(run.scratch);
    Pair* const packed = shared.take<Pair>(pairs_ * panels_.padded());
    const auto room_of = [&](int thread) {
      Scratch scratch = shared;
      for (int i = 0; i < thread; ++i) Room(scratch, *this);
      return Room(scratch, *this);
    };
    on_every_thread(run.threads, [&](int thread, int threads) {
      pack<Stored>(a, packed, room_of(thread), part_of(panels_.count * steps<Stored>(), thread, threads));
    });
    on_every_thread(run.threads, [&](int thread, int threads) {
      const Room room = room_of(thread);
      for (int64_t k = 0; k < kDepth<Stored>; ++k) room.at[k] = 2 * k;
      const Part bands = part_of(divide_up(columns_, kTileRows), thread, threads);
      const Part columns{bands.begin * kTileRows, smaller(columns_, bands.end * kTileRows)};
      const int64_t blocks = divide_up(panels_.count, kBlockPanels);
      for (int64_t i = 0; i < blocks; ++i) {
        for (int64_t first = columns.begin; first < columns.end; first += kSlice) {
          const Part block = part_of(panels_.count, i, blocks), slice{first, smaller(columns.end, first + kSlice)};
          for (int64_t step = 0; step < steps<Stored>(); ++step) multiply(packed, b, room, slice, block, step);
          finish(room, bias, relu, c, slice, block);
        }
      }
    });
  }

 private:
  static constexpr int64_t kBlockPanels = 12 / kTileVectors;  // panels of A in the second-level cache
  /// Pairs summed in registers at once: as many as Ahead's rows of lines hold.
  template <class Stored>
  static constexpr int64_t kDepth = Ahead::kRowLines * 64 / (2 * sizeof(Stored));
  static constexpr int64_t kSlice = 512;  // columns of C whose sums wait in cache for their last addend

  /// A thread's own scratch: 0, 2, 4, ...; rows of A or a tile's rows of B, rounded; products with a slice of B.
  struct Room {
    int64_t* at;
    uint16_t* rounded;
    float* products;
    Room(Scratch& scratch, const RowsProductBf16& p)
        : at(scratch.take<int64_t>(kDepth<uint16_t>)),
          rounded(scratch.take<uint16_t>(2 * kDepth<uint16_t> * larger(kPanel, kTileRows))),
          products(scratch.take<float>(kSlice * smaller(kBlockPanels * kPanel, p.panels_.padded()))) {}
  };

  template <class Stored>
  int64_t steps() const {
    return divide_up(pairs_, kDepth<Stored>);
  }
  template <class Stored>
  Part depth_of(int64_t step) const {
    return part_of(pairs_, step, steps<Stored>());
  }
  /// Numbers of the depth in a step's pairs: one less than there is room for at an odd end.
  int64_t numbers(const Part& depth) const { return smaller(depth_, 2 * depth.end) - 2 * depth.begin; }
  /// Where a panel's pairs of a step begin, [pair][row].
  int64_t place(const Part& depth, int64_t panel) const {
    return depth.begin * panels_.padded() + panels_.begin(panel) * (depth.end - depth.begin);
  }

  template <class Stored>
  void pack(const float* a, Pair* packed, const Room& room, const Part& units) const {
    for (int64_t unit = units.begin; unit < units.end; ++unit) {
      const int64_t panel = unit % panels_.count, lanes = panels_.lanes(panel);
      const Part depth = depth_of<Stored>(unit / panels_.count);
      const int64_t size = depth.end - depth.begin;
      const float* from = a + panels_.begin(panel) * depth_ + 2 * depth.begin;
      for (int64_t i = 0; i < lanes; ++i) round_row(from + i * depth_, numbers(depth), room.rounded + 2 * i * size);
      pack_transposed(reinterpret_cast<const Pair*>(room.rounded), size, lanes, size, packed + place(depth, panel),
                      panels_.width(panel));
    }
  }

  /// products(column, row), a panel of rows after the other.
  template <class Stored>
  void multiply(const Pair* packed, const TallFactor<Stored>& b, const Room& room, const Part& slice,
                const Part& panels, int64_t step) const {
    const Part depth = depth_of<Stored>(step);
    const int64_t size = depth.end - depth.begin;
    for (int64_t column = slice.begin; column < slice.end;) {
      const int height = tile_height(slice.end - column);
      const Stored* from = b.data + column * b.stride + 2 * depth.begin;
      PairTile tile{{}, room.at, size, {}, {}, {from + height * b.stride, b.stride * int64_t{sizeof(Stored)}}};
      for (int i = 0; i < height; ++i) {
        tile.a.row[i] = row_of(from + i * b.stride, numbers(depth), room.rounded + 2 * i * kDepth<Stored>);
      }
      for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
        const int64_t width = panels_.width(panel);
        tile.b = {packed + place(depth, panel), width};
        tile.c = {products(room, panels, panel) + (column - slice.begin) * width, width, step > 0};
        multiply_pairs(height, width, tile);
        tile.ahead = {};
      }
      column += height;
    }
  }

  static const uint16_t* row_of(const uint16_t* from, int64_t, uint16_t*) { return from; }
  static const uint16_t* row_of(const float* from, int64_t n, uint16_t* to) {
    round_row(from, n, to);
    return to;
  }

  CORTADO_INLINE float* products(const Room& room, const Part& panels, int64_t panel) const {
    return room.products + (panels_.begin(panel) - panels_.begin(panels.begin)) * kSlice;
  }

  void finish(const Room& room, const float* bias, bool relu, float* c, const Part& slice, const Part& panels) const {
    for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
      float* to = c + panels_.begin(panel) * columns_ + slice.begin;
      each_column(products(room, panels, panel), panels_.width(panel), slice.end - slice.begin, panels_.lanes(panel),
                  [&](int64_t row, int64_t column, int64_t count, Vf v) {
                    if (bias != nullptr) v += load_lanes(bias + slice.begin + column, count);
                    store_lanes(to + row * columns_ + column, relu ? max(zero(), v) : v, count);
                  });
    }
  }

  int64_t columns_, depth_, pairs_;
  Panels panels_;  // of A's rows
  int threads_;
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
