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
        panels(planes) {}

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

  /// Weights of phase, group, panel: [(channel, tap)][plane], one panel after the other. Threads share the planes out.
  void pack(Threads& team, const float* weight, float* packed) const {
    on_every_thread(team, [&](int thread, int threads) { pack(weight, packed, thread, threads); });
  }

 private:
  void pack(const float* weight, float* packed, int thread, int threads) const {
    const Part part = part_of(groups * panels.count, thread, threads);
    each_phase(packed, [&](const Phase& phase, float* base) {
      for (int64_t unit = part.begin; unit < part.end; ++unit) {
        const int64_t group = unit / panels.count, panel = unit % panels.count, row = panels.width(panel);
        const float* from = weight + group * planes * channels * taps() + panels.begin(panel) * plane_stride;
        float* to = base + (group * panels.padded() + panels.begin(panel)) * phase.depth;
        if (phase.depth < channels * taps()) {
          pack_taps(from, phase, panels.lanes(panel), to, row);
        } else if (channel_stride == taps()) {
          pack_transposed(from, plane_stride, panels.lanes(panel), phase.depth, to, row);
        } else {
          for (int64_t channel = 0; channel < channels; ++channel) {
            pack_transposed(from + channel * channel_stride, plane_stride, panels.lanes(panel), taps(),
                            to + channel * taps() * row, row);
          }
        }
      }
    });
  }

  /// The taps that meet one phase among several.
  void pack_taps(const float* from, const Phase& phase, int64_t lanes, float* to, int64_t row) const {
    const int64_t columns = width.extent.taps;
    for (int64_t channel = 0; channel < channels; ++channel, from += channel_stride) {
      for (int64_t r = 0; r < height.extent.taps; ++r) {
        if (!height.meets(phase.y, r)) continue;
        each_column(from + r * columns, plane_stride, lanes, columns, [&](int64_t s, int64_t j, int64_t, Vf v) {
          if (width.meets(phase.x, s)) store(to + index_of(phase.x, s) * row + j, v);
        });
        to += index_of(phase.x, columns) * row;
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
