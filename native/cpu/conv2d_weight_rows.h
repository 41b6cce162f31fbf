// The weights of a correlation as those with pixels in lanes read them: a row for each output plane.
//
// Forward they lie so as they come. Backward they are gathered once a run, phase by phase (conv2d_weights.h).
#pragma once

#include "conv2d_weights.h"

namespace cortado::CORTADO_ISA {
namespace {

struct WeightRows {
  CorrelationWeights weights;

  /// Outputs whose coordinates leave the same rest, as many as there are, and the (channel, tap) that they meet, from
  /// `first` of all on.
  struct Phase {
    int64_t y, x, height, width, first, depth;
  };

  WeightRows(const Conv2dShape& shape, bool backward) : weights(shape, backward) {}

  int64_t phases() const { return weights.height.phases() * weights.width.phases(); }
  /// Numbers of a row: (channel, tap) of all phases.
  int64_t depth() const { return weights.channels * weights.taps(); }
  /// Room for the rows where they do not lie so as they come.
  int64_t gathered() const { return weights.height.backward ? weights.groups * weights.planes * depth() : 0; }

  /// The rows, in `room` if need be.
  const float* gather(Threads& team, const float* weight, float* room) const {
    if (!weights.height.backward) return weight;
    on_every_thread(team, [&](int thread, int threads) {
      const Part part = part_of(weights.groups * weights.planes, thread, threads);
      for (int64_t plane = part.begin; plane < part.end; ++plane) {
        const float* from =
            weight + plane / weights.planes * weights.planes * depth() + plane % weights.planes * weights.plane_stride;
        gather_row(from, room + plane * depth());
      }
    });
    return room;
  }

  /// Fills the tables of a frame: phases() phases, and the distances of depth() (channel, tap).
  template <class AnyFrame>
  void fill(const AnyFrame& frame, Phase* phases, int64_t* at) const {
    each_phase([&](const Phase& phase) {
      *phases++ = phase;
      each_tap(phase, [&](int64_t index, int64_t channel, int64_t r, int64_t s) {
        at[index] = channel * frame.channel() + frame.distance(phase.y, phase.x, r, s);
      });
    });
  }

 private:
  void gather_row(const float* from, float* to) const {
    each_phase([&](const Phase& phase) {
      each_tap(phase, [&](int64_t index, int64_t channel, int64_t r, int64_t s) {
        to[index] = from[channel * weights.channel_stride + r * weights.width.extent.taps + s];
      });
    });
  }

  template <class F>
  void each_phase(const F& f) const {
    int64_t first = 0;
    for (int64_t y = 0; y < weights.height.phases(); ++y) {
      for (int64_t x = 0; x < weights.width.phases(); ++x) {
        const Phase phase{
            y, x, weights.height.grid(y), weights.width.grid(x), first, weights.channels * weights.taps_of(y, x)};
        f(phase);
        first += phase.depth;
      }
    }
  }

  /// f(index among the depth of all phases, channel, tap's row, tap's column) for the taps that meet a phase.
  template <class F>
  void each_tap(const Phase& phase, const F& f) const {
    int64_t index = phase.first;
    if (phase.depth == 0) return;
    for (int64_t channel = 0; channel < weights.channels; ++channel) {
      for (int64_t r = 0; r < weights.height.extent.taps; ++r) {
        if (!weights.height.meets(phase.y, r)) continue;
        for (int64_t s = 0; s < weights.width.extent.taps; ++s) {
          if (weights.width.meets(phase.x, s)) f(index++, channel, r, s);
        }
      }
    }
  }
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
