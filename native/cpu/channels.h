// Loops and sums over (outer, channels, inner) where each channel has numbers of its own. The vectors run along the
// inner axis, or across channels where that has one element.
#pragma once

#include "../kernels/channels.h"
#include "elementwise.h"
#include "simd.h"
#include "slices.h"

namespace cortado::CORTADO_ISA {

/// Where a vector of elements lies: `at` in the tensor, `lanes` long, of channel `channel` or, if kAcross, of the
/// channels from there on.
template <bool kAcross>
struct Place {
  int64_t at, lanes, channel;

  /// The channels' numbers from a table of them.
  CORTADO_INLINE Vf of(const float* table) const {
    return kAcross ? load_lanes(table + channel, lanes) : splat(table[channel]);
  }
};

/// f(place) for every vector of the tensor.
template <class F>
CORTADO_INLINE void for_channel_vectors(Threads& team, const Channels& s, const F& f) {
  constexpr int64_t kTile = 4096;
  const bool across = s.inner == 1;
  const int64_t rows = across ? s.outer : s.outer * s.channels, width = across ? s.channels : s.inner;
  const int64_t tiles = (width + kTile - 1) / kTile;
  for_slices(team, rows * tiles, grain_of(width < kTile ? width : kTile), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / tiles, first = i % tiles * kTile, last = first + kTile < width ? first + kTile : width;
      for (int64_t j = first; j < last; j += kLanes) {
        const int64_t lanes = last - j < kLanes ? last - j : kLanes;
        if (across) {
          f(Place<true>{row * width + j, lanes, j});
        } else {
          f(Place<false>{row * width + j, lanes, row % s.channels});
        }
      }
    }
  });
}

/// K sums over each channel: term(place, partial) adds a vector to the partial sums, done(channel, sums) takes them.
/// Channels are split among the threads; short runs are summed in float, the rest in double.
template <int K, class Term, class Done>
CORTADO_INLINE void channel_sums(Threads& team, const Channels& s, const Term& term, const Done& done) {
  constexpr int kRun = 128;
  if (s.inner == 1) {
    const int64_t blocks = (s.channels + kLanes - 1) / kLanes;
    for_slices(team, blocks, grain_of(s.outer * kLanes), [&](int64_t begin, int64_t end) {
      for (int64_t c = begin * kLanes; c < end * kLanes && c < s.channels; c += kLanes) {
        const int64_t lanes = s.channels - c < kLanes ? s.channels - c : kLanes;
        double totals[kLanes][K] = {};
        for (int64_t row = 0; row < s.outer; row += kRun) {
          Vf partial[K] = {};
          for (int64_t i = row; i < row + kRun && i < s.outer; ++i) {
            term(Place<true>{i * s.channels + c, lanes, c}, partial);
          }
          for (int j = 0; j < kLanes; ++j) {
            for (int k = 0; k < K; ++k) totals[j][k] += static_cast<double>(partial[k][j]);
          }
        }
        for (int64_t j = 0; j < lanes; ++j) done(c + j, totals[j]);
      }
    });
    return;
  }
  for_slices(team, s.channels, grain_of(s.each()), [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      double totals[K] = {};
      Vf partial[K] = {};
      int filled = 0;
      const auto flush = [&] {
        for (int k = 0; k < K; ++k) totals[k] += static_cast<double>(sum(partial[k])), partial[k] = zero();
        filled = 0;
      };
      for (int64_t o = 0; o < s.outer; ++o) {
        const int64_t first = (o * s.channels + c) * s.inner;
        for (int64_t j = 0; j < s.inner; j += kLanes) {
          term(Place<false>{first + j, s.inner - j < kLanes ? s.inner - j : kLanes, c}, partial);
          if (++filled == kRun) flush();
        }
      }
      flush();
      done(c, totals);
    }
  });
}

}  // namespace cortado::CORTADO_ISA
