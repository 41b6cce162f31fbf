#pragma once

#include <vector>

#include "../core/plan.h"
#include "runtime/owned.h"

namespace cortado::cuda {

/// A plan's steps as one graph, which a run replays with a single call; and the steps one by one, for profiles. What
/// comes behind the plan's commit happens only when no guard's flag is raised: the GPU decides it by a number in its
/// own memory, so that no run waits for the host.
class GraphRecording final : public Recording {
 public:
  /// Records the plan's steps on a stream of its own. Throws Error, naming the step.
  explicit GraphRecording(const Plan& plan);

  /// Replays all steps on the stream.
  void replay(cudaStream_t stream) const;
  /// Launches all steps as they are recorded, under ranges of their names for a profiler, which shows none of what is
  /// replayed. Steps of a type of kernel that can run several calls at once go together. Where there are `marks`, they
  /// are recorded before the first step and after each, those of steps that go together behind the last of them.
  void launch(const Plan& plan, cudaStream_t stream, const std::vector<OwnedEvent>& marks = {}) const;

 private:
  /// Steps [first, last), whose kernels are of one type.
  void start(const Plan& plan, cudaStream_t stream, size_t first, size_t last) const;

  std::unique_ptr<Memory> halt_;  // one i32
  OwnedGraphExec graph_;
};

}  // namespace cortado::cuda
