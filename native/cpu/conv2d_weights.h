// The weights of a correlation, transposed into panels once a run.
//
// With a stride, the gradient of the input falls apart into stride x stride phases (outputs whose coordinates leave the
// same rest), each an ordinary correlation with the taps that meet it.
#pragma once

#include "conv2d_axis.h"
#include "gemm_pack.h"

namespace cortado::CORTADO_ISA {
namespace {

struct CorrelationWeights {
  CorrelationAxis height, width;
  int64_t groups, channels, planes;      // source channels and output planes of one group
  int64_t channel_stride, plane_stride;  // in the weights as they come; a tap's is 1
  Panels panels;                         // of one group's output planes
  bool channels_last;                    // of source and weights as they are multiplied

  /// One phase: its grid, its share of the packed weights.
  struct Phase {
    int64_t y, x, height, width, depth;
    const float* packed;
  };

  CorrelationWeights(const Conv2dShape& shape, bool backward)
      : height{shape.height, backward},
        width{shape.width, backward},
        groups(shape.groups),
        channels(backward ? shape.filters : shape.channels),
        planes(backward ? shape.channels : shape.filters),
        channel_stride(shape.taps() * (backward ? shape.channels : 1)),
        plane_stride(shape.taps() * (backward ? 1 : shape.channels)),
        panels(planes),
        channels_last(channels >= kWide && channels * taps() > kLong && planes * taps() >= kReused) {}

  int64_t taps() const { return height.extent.taps * width.extent.taps; }
  /// Numbers in the packed weights.
  int64_t size() const { return groups * panels.padded() * channels * taps(); }

  /// How many taps meet a phase.
  int64_t taps_of(int64_t y, int64_t x) const {
    int64_t rows = 0, columns = 0;
    for (int64_t r = 0; r < height.extent.taps; ++r) rows += height.meets(y, r);
    for (int64_t s = 0; s < width.extent.taps; ++s) columns += width.meets(x, s);
    return rows * columns;
  }

  /// f(phase, its packed weights) for every phase in turn.
  template <class Float, class F>
  void each_phase(Float* packed, const F& f) const {
    for (int64_t y = 0; y < height.phases(); ++y) {
      for (int64_t x = 0; x < width.phases(); ++x) {
        const int64_t depth = channels * taps_of(y, x);
        f(Phase{y, x, height.grid(y), width.grid(x), depth, packed}, packed);
        packed += groups * panels.padded() * depth;
      }
    }
  }

  /// Weights of phase, group, panel: [(channel, tap)][plane] or, with channels last, [(tap, channel)][plane], one panel
  /// after the other. Threads share the planes out.
  void pack(Threads& team, const float* weight, float* packed) const {
    on_every_thread(team, [&](int thread, int threads) { pack(weight, packed, thread, threads); });
  }

  /// Rows of the packed weights from one channel to the next, of a phase of so many taps, and from tap to tap.
  int64_t channel_step(int64_t taps) const { return channels_last ? 1 : taps; }
  int64_t tap_step() const { return channels_last ? channels : 1; }

 private:
  // A tile reads some neighbouring pixels at a time: with channels last, each along a cache line, else all of them in a
  // line of its own for every channel and tap. To turn the source round pays for channels that fill lines, if sums are
  // long (shorter ones are added up in the order of conv2d_rows.h) and each number is used often.
  static constexpr int64_t kWide = 16, kLong = 128, kReused = 512;

  void pack(const float* weight, float* packed, int thread, int threads) const {
    const Part part = part_of(groups * panels.count, thread, threads);
    each_phase(packed, [&](const Phase& phase, float* base) {
      for (int64_t unit = part.begin; unit < part.end; ++unit) {
        const int64_t group = unit / panels.count, panel = unit % panels.count, row = panels.width(panel);
        const float* from = weight + group * planes * channels * taps() + panels.begin(panel) * plane_stride;
        float* to = base + (group * panels.padded() + panels.begin(panel)) * phase.depth;
        if (phase.depth < channels * taps()) {
          pack_taps(from, phase, panels.lanes(panel), to, row);
        } else if (channel_stride == taps() && !channels_last) {
          pack_transposed(from, plane_stride, panels.lanes(panel), phase.depth, to, row);
        } else {
          for (int64_t channel = 0; channel < channels; ++channel) {
            pack_transposed(from + channel * channel_stride, plane_stride, panels.lanes(panel), taps(),
                            to + channel * channel_step(taps()) * row, tap_step() * row);
          }
        }
      }
    });
  }

  /// The taps that meet one phase among several.
  void pack_taps(const float* from, const Phase& phase, int64_t lanes, float* to, int64_t row) const {
    const int64_t columns = width.extent.taps;
    for (int64_t channel = 0; channel < channels; ++channel, from += channel_stride) {
      float* tap = to + channel * channel_step(phase.depth / channels) * row;
      for (int64_t r = 0; r < height.extent.taps; ++r) {
        if (!height.meets(phase.y, r)) continue;
        each_column(from + r * columns, plane_stride, lanes, columns, [&](int64_t s, int64_t j, int64_t, Vf v) {
          if (width.meets(phase.x, s)) store(tap + index_of(phase.x, s) * tap_step() * row + j, v);
        });
        tap += index_of(phase.x, columns) * tap_step() * row;
      }
    }
  }

  /// How many of the taps before `tap` in its row meet phase x.
  int64_t index_of(int64_t x, int64_t tap) const {
    int64_t index = 0;
    for (int64_t s = 0; s < tap; ++s) index += width.meets(x, s);
    return index;
  }
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
