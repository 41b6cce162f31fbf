// Asks cuDNN, without a GPU, whether it has an engine for every convolution that it is told of:
//   engines CUDNN DEVICE.json <SHAPES
// where DEVICE.json describes a GPU as cudnnBackendSetAttribute takes it, and a line of SHAPES is
//   images groups channels filters  image features taps stride pad dilation (height)  the same (width)
// For each shape, precision and pass it prints a line that begins with "ok" or "NONE". The plans are those that the
// CUDA backend makes, by the same code; compiled against the simulated CUDA's header, since none of it is called.
#include <fstream>
#include <iostream>
#include <sstream>

#include "../../native/core/error.h"
#include "../../native/cuda/vendor/convolution.h"

namespace {

using namespace cortado;
using namespace cortado::cuda;

/// Reports one convolution; returns whether it has an engine.
bool report(const Cudnn& cudnn, const Target& target, const ConvolutionShape& shape) {
  const auto plans = Convolution::candidates(cudnn, target, shape, 1);
  std::cout << (plans.empty() ? "NONE " : "ok   ") << shape.text();
  for (const Convolution& plan : plans)
    std::cout << "; workspace " << plan.workspace() << ", description " << plan.describe().size();
  std::cout << '\n';
  return !plans.empty();
}

/// Tensor cores read channels by eights.
int64_t padded(int64_t channels) { return (channels + 7) / 8 * 8; }

void report_all(const Cudnn& cudnn, const Target& target, ConvolutionShape shape) {
  const int64_t channels = shape.channels, filters = shape.filters;
  for (const auto precision : {Precision::f32, Precision::tf32, Precision::bf16, Precision::f16}) {
    shape.precision = precision;
    shape.channels = shape.last() ? padded(channels) : channels;
    shape.filters = shape.last() ? padded(filters) : filters;
    for (const auto pass : {Pass::features, Pass::image, Pass::weight}) {
      shape.pass = pass;
      shape.bias = shape.relu = false;
      report(cudnn, target, shape);
      if (pass != Pass::features || precision == Precision::f16) continue;  // which is scaled before its bias
      shape.bias = true;
      report(cudnn, target, shape);
      shape.relu = true;
      report(cudnn, target, shape);
    }
  }
}

}  // namespace

int main(int, char** arguments) try {
  const Cudnn cudnn({arguments[1]});
  if (!cudnn.usable()) {
    std::cerr << cudnn.problem() << '\n';
    return 1;
  }
  std::ifstream file(arguments[2]);
  std::ostringstream json;
  json << file.rdbuf();
  const std::string subject = "a described GPU";
  Descriptor gpu(cudnn, subject, api::CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  if (!gpu.try_set(api::CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, json.str()) || !gpu.try_finalize()) {
    std::cerr << "cuDNN " << cudnn.version() << " takes no description of a GPU; 9.8 does\n";
    return 2;
  }
  ConvolutionShape s{};
  const auto axis = [](ConvolutionShape::Axis& a) {
    std::cin >> a.image >> a.features >> a.taps >> a.stride >> a.pad >> a.dilation;
  };
  while (std::cin >> s.images >> s.groups >> s.channels >> s.filters) {
    axis(s.height);
    axis(s.width);
    report_all(cudnn, {nullptr, &gpu}, s);
  }
} catch (const cortado::Error& error) {
  std::cerr << error.code << ": " << error.message << '\n';
  return 1;
}
