// How a convolution's depth, (channel, tap), falls into pairs for bfloat16, and what its images and filters look like
// then.
#pragma once

#include "conv2d_shape.h"
#include "gemm_tile_bf16.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Pairs of neighbouring taps in a row, or of the same tap in neighbouring channels: whichever leaves fewer halves
/// empty. Neighbouring taps lie side by side in a rounded image; channels are laid side by side.
struct PairedTaps {
  int64_t channels, rows, columns;  // of one group; taps
  bool across;                      // pairs of taps, not of channels

  explicit PairedTaps(const Conv2dShape& shape)
      : channels(shape.channels), rows(shape.height.taps), columns(shape.width.taps) {
    const int64_t of_taps = channels * rows * pairs_of(columns), of_channels = pairs_of(channels) * rows * columns;
    across = of_taps < of_channels && shape.width.dilation == 1;
  }

  /// Pairs along the depth.
  int64_t count() const { return across ? channels * rows * pairs_of(columns) : pairs_of(channels) * rows * columns; }
  /// Planes of a laid out image, and numbers that lie side by side in one pixel of theirs.
  int64_t planes() const { return across ? channels : pairs_of(channels); }
  int64_t side() const { return across ? 1 : 2; }

  /// f(plane, row, column, first channel, second channel or -1, second column) for every pair in the order of the
  /// depth.
  template <class F>
  void each(const F& f) const {
    for (int64_t plane = 0; plane < planes(); ++plane) {
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t s = 0; s < columns; s += across ? 2 : 1) {
          const bool whole = across ? s + 1 < columns : 2 * plane + 1 < channels;
          const int64_t channel = across ? plane : 2 * plane;
          f(plane, r, s, channel, !whole ? -1 : across ? channel : channel + 1, across ? s + 1 : s);
        }
      }
    }
  }
};

/// Filters in pairs and panels: (group, panel, pair of the depth, filter of the panel).
struct PairedFilters {
  PairedTaps taps;
  int64_t groups, filters;
  Panels panels;  // of one group's filters

  explicit PairedFilters(const Conv2dShape& shape)
      : taps(shape), groups(shape.groups), filters(shape.filters), panels(filters) {}

  /// Pairs in all.
  int64_t size() const { return groups * panels.padded() * taps.count(); }
  int64_t place(int64_t group, int64_t panel) const {
    return (group * panels.padded() + panels.begin(panel)) * taps.count();
  }

  size_t scratch(int threads) const {
    Scratch scratch(nullptr);
    for (int i = 0; i < threads; ++i) Room(scratch, *this);
    return scratch.bytes();
  }

  void pack(const Run& run, const float* weight, Pair* to) const {
    on_every_thread(run.threads, [&](int thread, int threads) {
      Scratch scratch(run.scratch);
      for (int i = 0; i < thread; ++i) Room(scratch, *this);
      const Room room(scratch, *this);
      const Part units = part_of(groups * panels.count, thread, threads);
      for (int64_t unit = units.begin; unit < units.end; ++unit) {
        const int64_t group = unit / panels.count, panel = unit % panels.count, filter = taps.channels * plane();
        const float* from = weight + (group * filters + panels.begin(panel)) * filter;
        for (int64_t i = 0; i < panels.lanes(panel); ++i) open(from + i * filter, room, i);
        pack_transposed(room.paired, taps.count(), panels.lanes(panel), taps.count(), to + place(group, panel),
                        panels.width(panel));
      }
    });
  }

 private:
  /// A thread's own scratch: first and second halves of a filter's pairs; a panel's filters in pairs.
  struct Room {
    float *low, *high;
    Pair* paired;
    Room(Scratch& scratch, const PairedFilters& p)
        : low(scratch.take<float>(p.taps.count())),
          high(scratch.take<float>(p.taps.count())),
          paired(scratch.take<Pair>(kPanel * p.taps.count() + kLanes)) {}
  };

  int64_t plane() const { return taps.rows * taps.columns; }

  void open(const float* filter, const Room& room, int64_t i) const {
    int64_t k = 0;
    taps.each([&](int64_t, int64_t r, int64_t s, int64_t channel, int64_t other, int64_t column) {
      room.low[k] = filter[channel * plane() + r * taps.columns + s];
      room.high[k++] = other < 0 ? 0.0f : filter[other * plane() + r * taps.columns + column];
    });
    pair_rows(room.low, room.high, taps.count(), room.paired + i * taps.count());
  }
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
