#include "picture.h"

#include <math.h>

#include <algorithm>

namespace cortado {

namespace {

/// Weights are whole numbers of 1/2^22: with bytes every sum fits 31 bits.
constexpr int kBits = 22;
constexpr int32_t kHalf = 1 << (kBits - 1);

/// Where output pixels look along one axis: `count` weights each, of the input pixels from `first` on.
struct Taps {
  std::vector<int64_t> first;
  std::vector<int32_t> weights;
  int64_t count = 0;

  const int32_t* of(int64_t output) const { return weights.data() + output * count; }
};

/// Rounded so that they still add up to one: white stays white, and no sum can leave the range of a byte.
void round_weights(const std::vector<double>& exact, double total, int32_t* weights) {
  int32_t excess = -(1 << kBits);
  size_t widest = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    weights[i] = static_cast<int32_t>(floor(exact[i] / total * (1 << kBits) + 0.5));
    excess += weights[i];
    if (weights[i] > weights[widest]) widest = i;
  }
  weights[widest] -= excess;
}

/// The triangles around the centres of outputs [begin, end) of `to`; at the borders what lies outside does not count.
Taps taps(int64_t from, int64_t to, int64_t begin, int64_t end) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double reach = std::max(1.0, scale);
  Taps made;
  made.count = std::min(from, static_cast<int64_t>(2 * reach) + 1);
  made.weights.resize(static_cast<size_t>((end - begin) * made.count));
  std::vector<double> exact;
  for (int64_t o = begin; o < end; ++o) {
    const double centre = (static_cast<double>(o) + 0.5) * scale - 0.5;
    const auto start = std::max(int64_t{0}, static_cast<int64_t>(ceil(centre - reach)));
    const auto last = std::min(from - 1, static_cast<int64_t>(floor(centre + reach)));
    exact.clear();
    double total = 0;
    for (int64_t i = start; i <= last; ++i) {
      exact.push_back(1 - fabs(static_cast<double>(i) - centre) / reach);
      total += exact.back();
    }
    // All have equally many: what lacks some at a border reads further in, and makes nothing of it.
    const int64_t first = std::min(start, from - made.count);
    int32_t* weights = made.weights.data() + (o - begin) * made.count;
    round_weights(exact, total, weights + (start - first));
    made.first.push_back(first);
  }
  return made;
}

/// kCount: columns.count, or 0 where it is none of those that are compiled for themselves.
template <int kChannels, int kCount>
void along_rows(const uint8_t* from, const Taps& columns, uint8_t* __restrict to) {
  const auto outputs = static_cast<int64_t>(columns.first.size());
  const int64_t count = kCount > 0 ? kCount : columns.count;
  const int32_t* all = columns.weights.data();
  for (int64_t x = 0; x < outputs; ++x) {
    const int32_t* __restrict weights = all + x * count;
    const uint8_t* at = from + kChannels * columns.first[static_cast<size_t>(x)];
    int32_t sums[kChannels];
    for (int32_t& sum : sums) sum = kHalf;
    for (int64_t i = 0; i < count; ++i, at += kChannels) {
      for (int c = 0; c < kChannels; ++c) sums[c] += weights[i] * at[c];
    }
    for (int c = 0; c < kChannels; ++c) *to++ = static_cast<uint8_t>(sums[c] >> kBits);
  }
}

/// One row out of `count`, which lie one behind the other.
template <int kCount>
void along_columns(const uint8_t* from, const int32_t* weights, int64_t any, int64_t size, uint8_t* __restrict to) {
  const int64_t count = kCount > 0 ? kCount : any;
  for (int64_t x = 0; x < size; ++x) {
    int32_t sum = kHalf;
    for (int64_t i = 0; i < count; ++i) sum += weights[i] * from[i * size + x];
    to[x] = static_cast<uint8_t>(sum >> kBits);
  }
}

/// Fewer than twice as many inputs as outputs need no more than these.
template <int kChannels>
auto rows_by(int64_t count) {
  return count == 3 ? along_rows<kChannels, 3> : count == 4 ? along_rows<kChannels, 4> : along_rows<kChannels, 0>;
}

auto columns_by(int64_t count) {
  return count == 3 ? along_columns<3> : count == 4 ? along_columns<4> : along_columns<0>;
}

}  // namespace

std::vector<uint8_t> resize(const Picture& picture, int64_t height, int64_t width, const Window& window) {
  const Taps columns = taps(picture.width, width, window.left, window.left + window.width);
  const Taps rows = taps(picture.height, height, window.top, window.top + window.height);
  const int64_t size = picture.channels * window.width, stride = picture.channels * picture.width;
  const int64_t first = rows.first.front(), last = rows.first.back() + rows.count;
  std::vector<uint8_t> narrow(static_cast<size_t>((last - first) * size));
  const auto along = picture.channels == 3 ? rows_by<3>(columns.count) : rows_by<1>(columns.count);
  for (int64_t y = first; y < last; ++y) along(picture.data + y * stride, columns, narrow.data() + (y - first) * size);
  std::vector<uint8_t> made(static_cast<size_t>(window.height * size));
  const auto down = columns_by(rows.count);
  for (int64_t y = 0; y < window.height; ++y) {
    const uint8_t* from = narrow.data() + (rows.first[static_cast<size_t>(y)] - first) * size;
    down(from, rows.of(y), rows.count, size, made.data() + y * size);
  }
  return made;
}

void cut_plane(const Picture& picture, const Window& window, bool mirrored, int64_t channel, uint8_t* plane) {
  const int64_t step = mirrored ? -picture.channels : picture.channels;
  const int64_t left = mirrored ? window.left + window.width - 1 : window.left;
  for (int64_t y = 0; y < window.height; ++y) {
    const uint8_t* from = picture.data + picture.channels * ((window.top + y) * picture.width + left);
    if (channel == kGrey) {
      for (int64_t x = 0; x < window.width; ++x, from += step)
        *plane++ = static_cast<uint8_t>((299 * from[0] + 587 * from[1] + 114 * from[2] + 500) / 1000);
    } else {
      for (int64_t x = 0; x < window.width; ++x, from += step) *plane++ = from[channel];
    }
  }
}

}  // namespace cortado
