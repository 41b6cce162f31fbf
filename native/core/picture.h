#pragma once

#include <stdint.h>

#include <vector>

namespace cortado {

/// Bytes: rows from the top, pixels from the left, the channels of a pixel together.
struct Picture {
  const uint8_t* data;
  int64_t channels, height, width;
};

struct Window {
  int64_t top, left, height, width;
};

/// What `window` shows of the picture once it is resized to height x width; only that is computed. Bilinear, with a
/// triangle that widens when shrinking, so that every pixel counts; along rows first, then along columns, with 8 bits
/// between. Libraries differ visibly in what they call bilinear: this is the one that the published answers of Caffe's
/// ImageNet nets are made with.
std::vector<uint8_t> resize(const Picture& picture, int64_t height, int64_t width, const Window& window);

/// A plane of grey as ITU-R BT.601 mixes it, which is how Caffe's tools read grey, instead of a channel.
constexpr int64_t kGrey = -1;

/// Copies one channel of a window, or its grey.
void cut_plane(const Picture& picture, const Window& window, bool mirrored, int64_t channel, uint8_t* plane);

}  // namespace cortado
