#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "../../core/library.h"
#include "convolution.h"
#include "gemm.h"
#include "lrn.h"
#include "plan_store.h"

namespace cortado::cuda {

/// NVIDIA's libraries for one GPU, and what was planned with them. Callable from any thread.
class Vendor {
 public:
  /// `gpu` is the name of GPU number `index`, for what is kept on disk.
  Vendor(int index, std::string gpu, const OpenOptions& options);

  /// What became of each library.
  std::vector<LibraryFound> found() const;
  /// A convolution by a kernel of our own, which puts it on a stream; workspace of so many bytes.
  struct OwnConvolution {
    std::function<void(cudaStream_t stream, const ConvolutionShape& shape, const ConvolutionTensors& tensors)> run;
    size_t workspace;
  };
  /// The plan for a shape, made once; null where the library is not there or has no engine for it. Lives as long as
  /// this. What engines say of their rounding in float32 is not always so: there their results are compared with ours.
  /// Throws Error.
  const Found<Convolution>* convolution(const ConvolutionShape& shape, const OwnConvolution& own);
  /// A convolution of ours by a name that tells it from the others.
  struct Way {
    std::string name;
    OwnConvolution own;
  };
  /// The fastest of some ways in float32, by its number: measured on the GPU, once, and kept. Those are left out whose
  /// results are not those of our `direct` kernel. Where nothing is timed, the first without a time. Throws Error.
  std::optional<Found<size_t>> fastest_of(const ConvolutionShape& shape, const OwnConvolution& direct,
                                          const std::vector<Way>& ways);
  /// Whether choices are kept; otherwise nothing is timed.
  bool keeps() const { return store_.keeps(); }
  /// Bytes of the last cache before the GPU's memory.
  size_t cache() const { return cache_; }
  /// Milliseconds that it takes to move so many bytes in the GPU's memory, at its nominal rate, and to start that.
  float moving(size_t bytes) const;
  const Gemm* gemm(const GemmShape& shape);
  /// The call for a shape where it is faster than our own kernel, which `own` puts on a stream: measured on the GPU,
  /// once, and kept; where nothing is kept, ours.
  using OwnLrn = std::function<void(cudaStream_t stream, const float* x, float* y)>;
  const LrnCall* lrn(const LrnShape& shape, const OwnLrn& own);

  /// Puts the work on a stream. Throws Error.
  void run(const Convolution& convolution, cudaStream_t stream, const ConvolutionTensors& tensors);
  void run(const Gemm& gemm, cudaStream_t stream, const void* a, const void* b, const float* bias, void* d,
           void* workspace, bool more = false);
  void run(const LrnCall& lrn, cudaStream_t stream, const float* x, float* y);

 private:
  void use() const;
  /// Under what a choice is kept on disk.
  std::string place_of(const Library& library, const char* name, const std::string& key) const;
  std::optional<Found<Convolution>> plan(const ConvolutionShape& shape, const std::string& key,
                                         const OwnConvolution& own);
  std::optional<Found<size_t>> plan(const ConvolutionShape& shape, const std::string& key, const OwnConvolution& direct,
                                    const std::vector<Way>& ways);
  std::optional<Gemm> plan(const GemmShape& shape, const std::string& key);
  std::optional<LrnCall> plan(const LrnShape& shape, const std::string& key, const OwnLrn& own);

  int index_;
  std::string gpu_;
  double bytes_per_millisecond_;
  size_t cache_;
  std::recursive_mutex mutex_;  // handles serve one thread at a time; what is timed may call them
  Cudnn cudnn_;
  CublasLt cublaslt_;
  PlanStore store_;
  std::map<std::string, std::optional<Found<Convolution>>> convolutions_;
  std::map<std::string, std::optional<Gemm>> gemms_;
  std::map<std::string, std::optional<LrnCall>> lrns_;
  std::map<std::string, std::optional<Found<size_t>>> ways_;
};

}  // namespace cortado::cuda
