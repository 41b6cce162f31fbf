// Who makes which part of the gradient of the filters, in float and in bfloat16: each thread has rows, (channel, tap)
// of a group, and panels of filters of its own, and adds up all images in one order, so that the bits depend on the
// team's size alone.
#pragma once

#include "conv2d_shape.h"
#include "gemm_pack.h"

namespace cortado::CORTADO_ISA {
namespace {

/// A thread's share of one group.
struct GradientShare {
  int64_t group;
  Part rows, panels;
  float* products;  // one panel's rows after the other's
};

class GradientShares {
 public:
  GradientShares(const Conv2dShape& shape, int threads)
      : panels(shape.filters),
        rows(shape.channels * shape.taps()),
        groups_(shape.groups),
        filters_(shape.filters),
        grid_(make_grid(threads, tiles(), panels, shape.groups, false)),
        room_(smaller(rows, divide_up(tiles(), grid_.rows) * kTileRows) *
              widest_band(panels, shape.groups, grid_.columns)) {}

  Panels panels;  // of one group's filters
  int64_t rows;   // (channel, tap) of one group

  /// Threads that have one.
  int threads() const { return grid_.rows * grid_.columns; }
  /// Products of the largest share.
  int64_t room() const { return room_; }

  /// f(share) for each group that the thread has a part of.
  template <class F>
  void each(int thread, float* products, const F& f) const {
    const Part bands = grid_.row_part(tiles(), thread);
    const Part own{bands.begin * kTileRows, smaller(rows, bands.end * kTileRows)};
    const Part columns = grid_.column_part(groups_ * panels.count, thread);
    if (own.begin >= own.end) return;
    for (int64_t unit = columns.begin; unit < columns.end;) {
      const int64_t group = unit / panels.count, end = smaller(columns.end, (group + 1) * panels.count);
      f(GradientShare{group, own, {unit - group * panels.count, end - group * panels.count}, products});
      unit = end;
    }
  }

  float* products_of(const GradientShare& share, int64_t panel) const {
    return share.products +
           (share.rows.end - share.rows.begin) * (panels.begin(panel) - panels.begin(share.panels.begin));
  }

  /// Puts a share's products where they belong.
  void finish(const GradientShare& share, float* filters) const {
    for (int64_t panel = share.panels.begin; panel < share.panels.end; ++panel) {
      float* to = filters + (share.group * filters_ + panels.begin(panel)) * rows + share.rows.begin;
      each_column(
          products_of(share, panel), panels.width(panel), share.rows.end - share.rows.begin, panels.lanes(panel),
          [&](int64_t filter, int64_t row, int64_t count, Vf v) { store_part(to + filter * rows + row, v, count); });
    }
  }

 private:
  int64_t tiles() const { return divide_up(rows, kTileRows); }

  int64_t groups_, filters_;
  Grid grid_;
  int64_t room_;
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
