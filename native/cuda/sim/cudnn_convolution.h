#pragma once

#include <stdint.h>

#include <string>

#include "../vendor/cudnn_api.h"

namespace cortado::sim {

using namespace cortado::cuda::api;

/// Engines: what they say of themselves is in cudnn.cpp.
enum : int64_t { kCareless, kTensorCores, kCompiledLate, kPlain, kUndeclared, kEngines };

/// A convolution as the simulated cuDNN runs it. Plain numbers: a text of them is a plan's description.
struct SimulatedConvolution {
  int64_t engine = 0, operation = 0, type = 0, last = 0, bias = 0, relu = 0;
  int64_t image[4] = {}, weight[4] = {}, features[4] = {};  // n, c, h, w of each
  int64_t stride[2] = {}, pad[2] = {}, dilation[2] = {};

  std::string text() const;
  /// False where the text is no description.
  bool parse(const std::string& text);
  /// Why there is no such convolution, or nothing.
  const char* fault() const;
  int64_t groups() const { return image[1] / weight[1]; }
  bool tensor_cores() const { return engine == kTensorCores || engine == kUndeclared; }
  /// What a run takes: tensor cores are the faster ones.
  double nanoseconds() const {
    const auto terms = static_cast<double>(features[0] * features[1] * features[2] * features[3] * weight[1]);
    return terms * static_cast<double>(weight[2] * weight[3]) * (tensor_cores() ? 1e-3 : 1e-2);
  }
  void run(void* x, void* w, void* b, void* y) const;
};

}  // namespace cortado::sim
