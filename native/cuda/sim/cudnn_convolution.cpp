#include "cudnn_convolution.h"

#include <math.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "rounding.h"

namespace cortado::sim {

namespace {

/// A tensor of any type and order as an array of floats.
struct View {
  void* data;
  int64_t type, last;
  const int64_t* extent;
  bool tensor_cores;

  int64_t place(int64_t n, int64_t c, int64_t h, int64_t w) const {
    const int64_t channels = extent[1], height = extent[2], width = extent[3];
    return last ? ((n * height + h) * width + w) * channels + c : ((n * channels + c) * height + h) * width + w;
  }
  float get(int64_t n, int64_t c, int64_t h, int64_t w) const {
    const int64_t at = place(n, c, h, w);
    if (type == CUDNN_DATA_HALF) return from_float16(static_cast<uint16_t*>(data)[at]);
    if (type == CUDNN_DATA_BFLOAT16) return from_bfloat16(static_cast<uint16_t*>(data)[at]);
    const float x = static_cast<float*>(data)[at];
    return tensor_cores ? to_tf32(x) : x;
  }
  /// Every element once, with channels first.
  std::vector<float> all() const {
    std::vector<float> numbers;
    numbers.reserve(static_cast<size_t>(extent[0] * extent[1] * extent[2] * extent[3]));
    for (int64_t n = 0; n < extent[0]; ++n) {
      for (int64_t c = 0; c < extent[1]; ++c) {
        for (int64_t h = 0; h < extent[2]; ++h) {
          for (int64_t w = 0; w < extent[3]; ++w) numbers.push_back(get(n, c, h, w));
        }
      }
    }
    return numbers;
  }
  void put(int64_t n, int64_t c, int64_t h, int64_t w, float x) const {
    const int64_t at = place(n, c, h, w);
    if (type == CUDNN_DATA_HALF) {
      static_cast<uint16_t*>(data)[at] = to_float16(x);
    } else if (type == CUDNN_DATA_BFLOAT16) {
      static_cast<uint16_t*>(data)[at] = to_bfloat16(x);
    } else {
      static_cast<float*>(data)[at] = x;
    }
  }
};

/// Every meeting of an image's element, a weight and a feature, by their numbers with channels first.
template <class F>
void for_each_term(const SimulatedConvolution& s, const F& f) {
  const int64_t filters = s.weight[0] / s.groups(), channels = s.weight[1], taps = s.weight[2] * s.weight[3];
  int64_t feature = 0;
  for (int64_t n = 0; n < s.features[0]; ++n) {
    for (int64_t k = 0; k < s.features[1]; ++k) {
      for (int64_t oh = 0; oh < s.features[2]; ++oh) {
        for (int64_t ow = 0; ow < s.features[3]; ++ow, ++feature) {
          for (int64_t c = 0; c < channels; ++c) {
            const int64_t plane = (n * s.image[1] + k / filters * channels + c) * s.image[2];
            for (int64_t r = 0; r < s.weight[2]; ++r) {
              const int64_t h = oh * s.stride[0] - s.pad[0] + r * s.dilation[0];
              if (h < 0 || h >= s.image[2]) continue;
              const int64_t row = (plane + h) * s.image[3], tap = (k * channels + c) * taps + r * s.weight[3];
              for (int64_t q = 0; q < s.weight[3]; ++q) {
                const int64_t w = ow * s.stride[1] - s.pad[1] + q * s.dilation[1];
                if (w >= 0 && w < s.image[3])
                  f(static_cast<size_t>(row + w), static_cast<size_t>(tap + q), static_cast<size_t>(feature));
              }
            }
          }
        }
      }
    }
  }
}

template <class F>
void fill(const View& view, const std::vector<double>& sums, const F& finish) {
  const int64_t* e = view.extent;
  int64_t i = 0;
  for (int64_t n = 0; n < e[0]; ++n) {
    for (int64_t c = 0; c < e[1]; ++c) {
      for (int64_t h = 0; h < e[2]; ++h) {
        for (int64_t w = 0; w < e[3]; ++w, ++i)
          view.put(n, c, h, w, finish(c, static_cast<float>(sums[static_cast<size_t>(i)])));
      }
    }
  }
}

}  // namespace

void SimulatedConvolution::run(void* x, void* w, void* b, void* y) const {
  const bool cores = tensor_cores();
  const View images{x, type, last, image, cores}, weights{w, type, last, weight, cores},
      planes{y, type, last, features, cores};
  const int64_t biases_extent[] = {1, features[1], 1, 1};
  const View biases{b, type, last, biases_extent, false};
  const View& result = operation == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR         ? planes
                       : operation == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR ? images
                                                                                                   : weights;
  const int64_t* e = result.extent;
  std::vector<double> sums(static_cast<size_t>(e[0] * e[1] * e[2] * e[3]));
  const auto product = [](float left, float right) { return static_cast<double>(left) * static_cast<double>(right); };
  if (&result == &planes) {
    for_each_term(*this, [&, i = images.all(), w = weights.all()](size_t pixel, size_t tap, size_t feature) {
      sums[feature] += product(i[pixel], w[tap]);
    });
  } else if (&result == &images) {
    for_each_term(*this, [&, f = planes.all(), w = weights.all()](size_t pixel, size_t tap, size_t feature) {
      sums[pixel] += product(f[feature], w[tap]);
    });
  } else {
    for_each_term(*this, [&, f = planes.all(), i = images.all()](size_t pixel, size_t tap, size_t feature) {
      sums[tap] += product(f[feature], i[pixel]);
    });
  }
  fill(result, sums, [&](int64_t channel, float v) {
    if (engine == kCareless) return NAN;  // nobody may choose it
    const float biased = bias ? v + biases.get(0, channel, 0, 0) : v;
    return relu && biased <= 0.0f ? 0.0f : biased;
  });
}

const char* SimulatedConvolution::fault() const {
  if (image[0] != features[0] || weight[1] < 1 || image[1] % weight[1] != 0) return "channels do not divide";
  if (weight[0] != features[1] || weight[0] % groups() != 0) return "filters do not divide";
  for (int i = 0; i < 2; ++i) {
    const int64_t room = image[2 + i] + 2 * pad[i] - dilation[i] * (weight[2 + i] - 1) - 1;
    if (room < 0 || features[2 + i] != room / stride[i] + 1) return "extents do not agree";
  }
  if (type != CUDNN_DATA_FLOAT && (weight[1] % 8 != 0 || weight[0] / groups() % 8 != 0)) return "not 16 bytes wide";
  return nullptr;
}

std::string SimulatedConvolution::text() const {
  std::ostringstream out;
  out << "simulated";
  for (const int64_t value : {engine, operation, type, last, bias, relu}) out << ' ' << value;
  for (const int64_t* extents : {image, weight, features})
    for (int i = 0; i < 4; ++i) out << ' ' << extents[i];
  for (const int64_t* pair : {stride, pad, dilation}) out << ' ' << pair[0] << ' ' << pair[1];
  return out.str();
}

bool SimulatedConvolution::parse(const std::string& text) {
  std::istringstream in(text);
  std::string word;
  in >> word >> engine >> operation >> type >> last >> bias >> relu;
  for (int64_t* extents : {image, weight, features})
    for (int i = 0; i < 4; ++i) in >> extents[i];
  for (int64_t* pair : {stride, pad, dilation}) in >> pair[0] >> pair[1];
  return word == "simulated" && !in.fail();
}

}  // namespace cortado::sim
