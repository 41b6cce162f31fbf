// Images of few pixels, as they come before the first dense layer, from one order of their elements to the other.
#pragma once

#include "index.h"
#include "packs.h"

namespace cortado::cuda {

/// All pixels of some channels of an image, through which a block brings them: with channels first they lie together,
/// with channels last those of each pixel do. Both are read and written by whole accesses.
struct SmallImages {
  static constexpr int kChannels = 64, kPixels = 64;
  using Tile = float[kChannels][kPixels + 1];
  int channels, pixels;
  Divisor<int32_t> by_pixels;

  static bool takes(int64_t channels, int64_t pixels) { return channels % kLanes == 0 && pixels <= kPixels; }
  SmallImages(int64_t channels, int64_t pixels)
      : channels(static_cast<int>(channels)), pixels(static_cast<int>(pixels)), by_pixels(pixels) {}
  __host__ __device__ int64_t parts() const { return (channels + kChannels - 1) / kChannels; }
};

/// One block's work.
struct SmallImage {
  const SmallImages& s;
  int64_t begin;     // of the image's elements
  int first, count;  // channels

  __device__ SmallImage(const SmallImages& s, int64_t block) : s(s) {
    const int64_t image = block / s.parts();
    begin = image * s.channels * s.pixels;
    first = static_cast<int>(block - image * s.parts()) * SmallImages::kChannels;
    count = s.channels - first < SmallImages::kChannels ? s.channels - first : SmallImages::kChannels;
  }

  /// visit(place, tile's elements) of every eight that lie together with channels first.
  template <class Visit>
  __device__ void with_first(SmallImages::Tile& tile, const Visit& visit) const {
    for (int i = static_cast<int>(threadIdx.x) * kLanes; i < count * s.pixels; i += kBlock * kLanes) {
      int channel = s.by_pixels(i), pixel = i - channel * s.pixels;
      float* of[kLanes];
      for (float*& element : of) {
        element = &tile[channel][pixel];
        if (++pixel < s.pixels) continue;
        pixel = 0;
        ++channel;
      }
      visit(begin + int64_t{first} * s.pixels + i, of);
    }
  }
  /// The same with channels last.
  template <class Visit>
  __device__ void with_last(SmallImages::Tile& tile, const Visit& visit) const {
    constexpr int kPacks = SmallImages::kChannels / kLanes;
    for (int i = static_cast<int>(threadIdx.x); i < s.pixels * kPacks; i += kBlock) {
      const int channel = i % kPacks * kLanes, pixel = i / kPacks;
      if (channel >= count) continue;
      float* of[kLanes];
      for (int j = 0; j < kLanes; ++j) of[j] = &tile[channel + j][pixel];
      visit(begin + int64_t{pixel} * s.channels + first + channel, of);
    }
  }
};

/// Brings images to channels last, or from there to channels first.
template <class From, class To>
struct TurnSmallImages {
  SmallImages s;
  const From* from;
  To* to;
  bool last;

  __device__ void operator()(int64_t block) const {
    __shared__ SmallImages::Tile tile;
    const SmallImage image(s, block);
    const auto load = [&](int64_t place, float* const(&of)[kLanes]) {
      const Lanes<kLanes> lanes = load_lanes<kLanes>(from + place);
      for (int j = 0; j < kLanes; ++j) *of[j] = lanes.v[j];
    };
    const auto store = [&](int64_t place, float* const(&of)[kLanes]) {
      Lanes<kLanes> lanes;
      for (int j = 0; j < kLanes; ++j) lanes.v[j] = *of[j];
      store_lanes<kLanes>(to + place, lanes);
    };
    last ? image.with_first(tile, load) : image.with_last(tile, load);
    __syncthreads();
    last ? image.with_last(tile, store) : image.with_first(tile, store);
  }
};

}  // namespace cortado::cuda
