#include "pictures.h"

#include <string.h>

#include <algorithm>

#include "launch.h"

namespace cortado::cuda {

namespace {

/// Bytes that are worth another thread's while.
constexpr int64_t kSlice = 1 << 17;

/// One number of a picture: (x + shift - mean) * scale. Indices fit 32 bits, which divide several times as fast as 64.
template <class Pixel>
struct Normalize {
  const Pixel* pixels;
  const float *mean, *scale, *shift;
  const int32_t* windows;
  uint32_t channels, height, width, mean_height, mean_width;
  float* to;

  __device__ void operator()(int64_t index) const {
    const auto i = static_cast<uint32_t>(index);
    const uint32_t row = i / width, x = i % width;
    const uint32_t plane = row / height, y = row % height;
    const uint32_t picture = plane / channels, channel = plane % channels;
    uint32_t at = channel;
    if (mean_height > 1 || mean_width > 1) {
      const int32_t* window = windows ? windows + 3 * picture : nullptr;
      const uint32_t top = window ? static_cast<uint32_t>(window[0]) : 0;
      const uint32_t left = window ? static_cast<uint32_t>(window[1]) : 0;
      const bool mirrored = window && window[2] != 0;
      at = (channel * mean_height + top + y) * mean_width + left + (mirrored ? width - 1 - x : x);
    }
    const float moved = static_cast<float>(pixels[i]) + (shift ? shift[plane] : 0.0f);
    to[i] = (moved - mean[at]) * scale[channel];
  }
};

template <class T>
const T* at(const uint8_t* packed, size_t offset) {
  return reinterpret_cast<const T*>(packed + offset);
}

}  // namespace

PackedPictures::PackedPictures(const Normalization& normalization, const Pixels& pixels)
    : n_(normalization), pixels_(pixels), pictures_(static_cast<size_t>(pixels.last - pixels.first)) {
  const auto place = [this](size_t bytes) {
    const Part part{bytes_, bytes};
    bytes_ += (bytes + 15) / 16 * 16;
    return part;
  };
  const auto channels = static_cast<size_t>(n_.channels);
  mean_ = place(channels * static_cast<size_t>(n_.mean_height * n_.mean_width) * sizeof(float));
  scale_ = place(channels * sizeof(float));
  windows_ = place(n_.windows ? 3 * pictures_ * sizeof(int32_t) : 0);
  shift_ = place(n_.shift ? channels * pictures_ * sizeof(float) : 0);
  data_ = place(pictures_ * of_picture() * pixels_.size());
}

void PackedPictures::pack(uint8_t* host, Threads& team) const {
  const auto put = [host, &team](const Part& part, const void* source, size_t skipped) {
    uint8_t* to = host + part.begin;
    const uint8_t* from = static_cast<const uint8_t*>(source) + skipped;
    for_slices(team, static_cast<int64_t>(part.bytes), kSlice, [to, from](int64_t begin, int64_t end) {
      memcpy(to + begin, from + begin, static_cast<size_t>(end - begin));
    });
  };
  const auto first = static_cast<size_t>(pixels_.first);
  put(mean_, n_.mean, 0);
  put(scale_, n_.scale, 0);
  put(windows_, n_.windows, 3 * first * sizeof(int32_t));
  put(shift_, n_.shift, first * static_cast<size_t>(n_.channels) * sizeof(float));
  put(data_, pixels_.data, first * of_picture() * pixels_.size());
  if (!n_.windows) return;
  // The copies: another thread may own the numbers.
  Normalization copied = n_;
  copied.windows = reinterpret_cast<const int32_t*>(host + windows_.begin);
  for (size_t i = 0; i < pictures_; ++i) cortado::detail::mean_window(copied, static_cast<int64_t>(i));
}

void PackedPictures::normalize(const uint8_t* packed, float* to, cudaStream_t stream) const {
  if (pixels_.floats) {
    start<float>(packed, to, stream);
  } else {
    start<uint8_t>(packed, to, stream);
  }
}

template <class Pixel>
void PackedPictures::start(const uint8_t* packed, float* to, cudaStream_t stream) const {
  const auto narrow = [](int64_t extent) { return static_cast<uint32_t>(extent); };
  const size_t size = of_picture(), most = std::max<size_t>(1, INT32_MAX / size);
  for (size_t first = 0; first < pictures_; first += most) {
    const size_t count = std::min(most, pictures_ - first);
    const Normalize<Pixel> some{
        at<Pixel>(packed, data_.begin) + first * size,
        at<float>(packed, mean_.begin),
        at<float>(packed, scale_.begin),
        n_.shift ? at<float>(packed, shift_.begin) + first * static_cast<size_t>(n_.channels) : nullptr,
        n_.windows ? at<int32_t>(packed, windows_.begin) + 3 * first : nullptr,
        narrow(n_.channels),
        narrow(n_.height),
        narrow(n_.width),
        narrow(n_.mean_height),
        narrow(n_.mean_width),
        to + first * size};
    for_each({stream, nullptr, nullptr}, static_cast<int64_t>(count * size), some);
  }
}

}  // namespace cortado::cuda
