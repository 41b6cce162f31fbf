#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "convolution_graph.h"

namespace cortado::cuda {

/// The GPU that a plan is for: the one of a handle, or, where there is none, one that is described.
struct Target {
  api::cudnnHandle_t handle;
  const Descriptor* described;
};

/// Tensors that a convolution reads and writes, with memory to work in.
struct ConvolutionTensors {
  const void *image, *weight, *bias, *features;
  void* workspace;
};

/// A convolution with the engine that was chosen for it.
class Convolution {
 public:
  /// More memory than this to work in is not given to an engine.
  static constexpr int64_t kMostWorkspace = int64_t{512} << 20;

  /// So many plans are worth to be compared; of them so many whose kernels are compiled when they are made, which takes
  /// seconds.
  static constexpr size_t kMostCandidates = 16, kMostCompiled = 3;

  /// Asks cuDNN for engines and makes plans of at most `most` that keep our promises: the same bits every time, sums in
  /// float32, inputs rounded no more than the precision allows. Best first, as cuDNN thinks. Throws Error.
  static std::vector<Convolution> candidates(const Cudnn& cudnn, const Target& target, const ConvolutionShape& shape,
                                             size_t most = kMostCandidates);
  /// The one that another described. Nothing where this cuDNN does not take it.
  static std::optional<Convolution> restore(const Cudnn& cudnn, const Target& target, const ConvolutionShape& shape,
                                            const std::string& description);

  /// What restore() takes.
  std::string describe() const;
  size_t workspace() const { return workspace_; }
  /// Throws Error.
  void run(const Cudnn& cudnn, api::cudnnHandle_t handle, cudaStream_t stream, const ConvolutionTensors& t) const;

 private:
  Convolution(std::shared_ptr<const std::string> subject, std::optional<Descriptor> engine, Descriptor plan, bool bias);

  std::shared_ptr<const std::string> subject_;
  std::optional<Descriptor> engine_;  // with its settings; the plan may look at it
  Descriptor plan_;
  bool bias_;
  size_t workspace_;
};

}  // namespace cortado::cuda
