// How a product is divided: columns into panels, the whole among threads.
#pragma once

#include "../core/tensor.h"
#include "gemm_tile.h"

namespace cortado::CORTADO_ISA {
namespace {

CORTADO_INLINE constexpr int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
CORTADO_INLINE constexpr int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
CORTADO_INLINE constexpr int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
CORTADO_INLINE constexpr int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }

struct Part {
  int64_t begin, end;
};
/// Part `index` of `parts` of [0, n); parts differ by one item at most.
CORTADO_INLINE Part part_of(int64_t n, int64_t index, int64_t parts) {
  return {n * index / parts, n * (index + 1) / parts};
}

/// `columns` columns in panels of 1 to kTileVectors vectors, as even as can be.
struct Panels {
  int64_t columns, vectors, count;
  CORTADO_INLINE explicit Panels(int64_t columns)
      : columns(columns), vectors(divide_up(columns, kLanes)), count(divide_up(vectors, kTileVectors)) {}
  /// First column of a panel; of `count`, the padded number of columns.
  CORTADO_INLINE int64_t begin(int64_t panel) const { return vectors * panel / count * kLanes; }
  CORTADO_INLINE int64_t width(int64_t panel) const { return begin(panel + 1) - begin(panel); }
  /// Columns of a panel that exist.
  CORTADO_INLINE int64_t lanes(int64_t panel) const { return smaller(columns, begin(panel + 1)) - begin(panel); }
  CORTADO_INLINE int64_t padded() const { return vectors * kLanes; }
};

/// A team laid over a product: `rows` bands of rows by `columns` bands of panels, one block a thread.
struct Grid {
  int rows, columns;
  CORTADO_INLINE Part row_part(int64_t units, int thread) const { return part_of(units, thread / columns, rows); }
  CORTADO_INLINE Part column_part(int64_t units, int thread) const { return part_of(units, thread % columns, columns); }
};

/// Padded columns of the widest band when the panels of all groups are cut into `bands`.
inline int64_t widest_band(const Panels& panels, int64_t groups, int bands) {
  int64_t widest = 0;
  for (int band = 0; band < bands; ++band) {
    const Part part = part_of(groups * panels.count, band, bands);
    const auto position = [&](int64_t unit) {
      return unit / panels.count * panels.padded() + panels.begin(unit % panels.count);
    };
    widest = larger(widest, position(part.end) - position(part.begin));
  }
  return widest;
}

/// The grid whose largest block is smallest. Among equals (within 3 %), bands of rows if `rows_first`, else of columns.
inline Grid make_grid(int threads, int64_t row_units, const Panels& panels, int64_t groups, bool rows_first) {
  Grid best{threads, 1};
  double least = 0;
  for (int i = 1; i <= threads; ++i) {
    if (threads % i != 0) continue;
    const int columns = rows_first ? i : threads / i, rows = threads / columns;
    const double size =
        static_cast<double>(divide_up(row_units, rows)) * static_cast<double>(widest_band(panels, groups, columns));
    if (least == 0 || size < 0.97 * least) {
      least = size;
      best = {rows, columns};
    }
  }
  return best;
}

/// Cuts a step's scratch memory into pieces, each on a cache line of its own. Made with nullptr it only measures.
struct Scratch {
  uintptr_t begin, end;
  CORTADO_INLINE explicit Scratch(void* block)
      : begin(reinterpret_cast<uintptr_t>(block)), end(reinterpret_cast<uintptr_t>(block)) {}
  template <class T>
  CORTADO_INLINE T* take(int64_t count) {
    T* piece = reinterpret_cast<T*>(end);
    end += static_cast<uintptr_t>(round_up(count * static_cast<int64_t>(sizeof(T)), 64));
    return piece;
  }
  CORTADO_INLINE size_t bytes() const { return end - begin; }
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
