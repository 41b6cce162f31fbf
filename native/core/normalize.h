#pragma once

#include <stdint.h>

#include "error.h"

namespace cortado {

/// What a net wants of pictures (channels, height, width): (x + shift − mean) · scale, in float32.
struct Normalization {
  int64_t channels, height, width;
  const float* mean;  // (channels, mean_height, mean_width); of 1 × 1: one number for a channel
  int64_t mean_height, mean_width;
  const float* scale;      // (channels)
  const int32_t* windows;  // (pictures, 3): top, left, mirrored in the picture of means; absent: top left
  const float* shift;      // (pictures, channels); absent: 0
};

/// Pictures [first, last) of an array of bytes or floats.
struct Pixels {
  const void* data;
  bool floats;
  int64_t first, last;

  size_t size() const { return floats ? sizeof(float) : 1; }
};

namespace detail {

/// The means that the rows of one picture meet.
struct MeanWindow {
  int64_t top = 0, left = 0;
  bool mirrored = false;
};

inline MeanWindow mean_window(const Normalization& n, int64_t picture) {
  if (!n.windows) return {};
  // Read once: another thread may own these numbers.
  const int32_t top = n.windows[3 * picture], left = n.windows[3 * picture + 1];
  if (n.mean_height == 1 && n.mean_width == 1) return {};
  if (top < 0 || left < 0 || top > n.mean_height - n.height || left > n.mean_width - n.width) {
    fail("USAGE", "images: expected %lldx%lld pixels within the mean's %lldx%lld, got them at (%d, %d)",
         static_cast<long long>(n.height), static_cast<long long>(n.width), static_cast<long long>(n.mean_height),
         static_cast<long long>(n.mean_width), top, left);
  }
  return {top, left, n.windows[3 * picture + 2] != 0};
}

template <class Pixel>
void normalize_plane(const Normalization& n, const MeanWindow& window, const Pixel* from, int64_t channel, float shift,
                     float* to) {
  const float scale = n.scale[channel];
  const int64_t width = n.width;
  if (n.mean_height == 1 && n.mean_width == 1) {
    const float mean = n.mean[channel];
    for (int64_t i = 0; i < n.height * width; ++i) to[i] = (static_cast<float>(from[i]) + shift - mean) * scale;
    return;
  }
  for (int64_t y = 0; y < n.height; ++y, from += width, to += width) {
    const float* mean = n.mean + (channel * n.mean_height + window.top + y) * n.mean_width + window.left;
    if (window.mirrored) {
      for (int64_t i = 0; i < width; ++i) to[i] = (static_cast<float>(from[i]) + shift - mean[width - 1 - i]) * scale;
    } else {
      for (int64_t i = 0; i < width; ++i) to[i] = (static_cast<float>(from[i]) + shift - mean[i]) * scale;
    }
  }
}

}  // namespace detail

/// Normalizes pictures [first, last) of `pixels` into `to`. Throws Error USAGE when a window leaves the picture of
/// means.
template <class Pixel>
void normalize(const Normalization& n, const Pixel* pixels, int64_t first, int64_t last, float* to) {
  const int64_t plane = n.height * n.width;
  for (int64_t picture = first; picture < last; ++picture) {
    const detail::MeanWindow window = detail::mean_window(n, picture);
    for (int64_t channel = 0; channel < n.channels; ++channel, to += plane) {
      const int64_t at = picture * n.channels + channel;
      detail::normalize_plane(n, window, pixels + at * plane, channel, n.shift ? n.shift[at] : 0.0f, to);
    }
  }
}

}  // namespace cortado
