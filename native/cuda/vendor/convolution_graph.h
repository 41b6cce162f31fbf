#pragma once

#include <vector>

#include "convolution_shape.h"
#include "descriptor.h"

namespace cortado::cuda {

/// Tensors of a convolution by the numbers that its graph gives them.
enum Role : int64_t { kImage = 1, kWeight, kBias, kFeatures };

/// A convolution as cuDNN's graph of operations: for features also + bias and ReLU, in one plan.
class ConvolutionGraph {
 public:
  /// `handle` may be absent where plans are made for a described GPU. Throws Error, naming `subject`.
  ConvolutionGraph(const Cudnn& cudnn, const std::string& subject, const ConvolutionShape& shape,
                   api::cudnnHandle_t handle);

  const Descriptor& operations() const { return parts_.back(); }

 private:
  size_t add(api::cudnnBackendDescriptorType_t type);
  size_t tensor(int64_t id, const std::vector<int64_t>& extents, bool intermediate);
  size_t convolution();
  size_t pointwise(api::cudnnPointwiseMode_t mode, size_t x, const size_t* bias, size_t y);

  const Cudnn& cudnn_;
  const std::string& subject_;
  const ConvolutionShape& shape_;
  std::vector<Descriptor> parts_;  // the graph is the last
};

}  // namespace cortado::cuda
