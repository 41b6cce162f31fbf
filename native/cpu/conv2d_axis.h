// The arithmetic of coordinates: which taps meet an output, and where.
#pragma once

#include "conv2d_shape.h"

namespace cortado::CORTADO_ISA {
namespace {

/// One spatial dimension of a correlation: output(first + i * out_step) = sum over taps of source(i * step +
/// shift(tap)).
struct CorrelationAxis {
  Extent extent;
  bool backward;  // from the features to the image

  CORTADO_INLINE int64_t source() const { return backward ? extent.features : extent.image; }
  CORTADO_INLINE int64_t output() const { return backward ? extent.image : extent.features; }
  CORTADO_INLINE int64_t phases() const { return backward ? extent.stride : 1; }
  CORTADO_INLINE int64_t out_step() const { return phases(); }
  CORTADO_INLINE int64_t step() const { return backward ? 1 : extent.stride; }
  CORTADO_INLINE int64_t grid(int64_t phase) const { return divide_up(larger(0, output() - phase), phases()); }
  CORTADO_INLINE bool meets(int64_t phase, int64_t tap) const {
    return !backward || (phase + extent.pad - tap * extent.dilation) % extent.stride == 0;
  }
  CORTADO_INLINE int64_t shift(int64_t phase, int64_t tap) const {
    return backward ? (phase + extent.pad - tap * extent.dilation) / extent.stride : tap * extent.dilation - extent.pad;
  }

  /// Calls f(phase, tap) for the taps that matter.
  template <class F>
  CORTADO_INLINE void each_tap(const F& f) const {
    for (int64_t phase = 0; phase < phases(); ++phase) {
      for (int64_t tap = 0; tap < extent.taps; ++tap) {
        if (grid(phase) > 0 && meets(phase, tap)) f(phase, tap);
      }
    }
  }
  /// First source coordinate that is read, 0 at most, and how many from there to the last one, 1 at least.
  CORTADO_INLINE int64_t frame_begin() const {
    int64_t begin = 0;
    each_tap([&](int64_t phase, int64_t tap) { begin = smaller(begin, shift(phase, tap)); });
    return begin;
  }
  CORTADO_INLINE int64_t frame_size() const {
    int64_t end = 1;
    each_tap(
        [&](int64_t phase, int64_t tap) { end = larger(end, (grid(phase) - 1) * step() + shift(phase, tap) + 1); });
    return end - frame_begin();
  }
  /// How many coordinates from frame_begin() on the taps of one output lie on, 1 at least.
  CORTADO_INLINE int64_t reach() const {
    int64_t end = frame_begin() + 1;
    each_tap([&](int64_t phase, int64_t tap) { end = larger(end, shift(phase, tap) + 1); });
    return end - frame_begin();
  }
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
