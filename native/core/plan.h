#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "device.h"
#include "foreign.h"

namespace cortado {

/// A tensor's place, as the planner gives it.
struct TensorSpec {
  int memory;  // index into the plan's memories
  int64_t offset;
  std::vector<int64_t> shape;
  DType dtype;
  bool channels_last = false;
};

/// One kernel call, as the planner gives it. Tensor index -1 is an absent tensor.
struct StepSpec {
  std::string kernel, label;
  std::vector<int> inputs, outputs;
  std::map<std::string, std::vector<double>, std::less<>> attributes;
  const cortado_kernel* foreign = nullptr;  // computes it instead of the kernel of that name
};

struct PlanSpec {
  std::vector<std::shared_ptr<Memory>> memories;
  std::vector<TensorSpec> tensors;
  std::vector<StepSpec> steps;
  int threads;
  Precision precision;
  int commit;  // from this step on a run is no longer cancelled: what follows happens as a whole or not at all
  std::vector<int> guards;  // i32 flags: where one is raised when the commit is reached, the run ends there
};

/// One kernel call, prepared.
struct PreparedStep {
  const Kernel* kernel;
  std::unique_ptr<std::byte[]> state;
  std::string label;

  /// `run` is what the device gives its kernels.
  void run(const void* run) const { kernel->run(state.get(), run); }
};

/// What a device keeps with a plan, such as a recorded graph.
class Recording {
 public:
  virtual ~Recording() = default;
};

/// A program ready to run on a device: every tensor checked against its memory, every kernel prepared, once. A run is a
/// loop over the steps.
class Plan {
 public:
  Plan(std::shared_ptr<Device> device, PlanSpec spec);

  Device& device() const { return *device_; }
  const Tensor& tensor(int index) const { return tensors_.at(static_cast<size_t>(index)); }
  int tensors() const { return static_cast<int>(tensors_.size()); }
  const std::vector<PreparedStep>& steps() const { return steps_; }
  int threads() const { return threads_; }
  /// From this step on a run is no longer cancelled.
  int commit() const { return commit_; }
  /// Flags: where one is raised when the commit is reached, the run ends there.
  const std::vector<const int32_t*>& guards() const { return guards_; }
  void* scratch() const { return scratch_ ? scratch_->data() : nullptr; }
  size_t scratch_bytes() const { return scratch_ ? scratch_->bytes() : 0; }

  /// The device's own; only the thread that runs the plan touches it.
  std::unique_ptr<Recording>& recording() const { return recording_; }

 private:
  std::shared_ptr<Device> device_;  // first: all others are of it
  std::vector<std::shared_ptr<Memory>> memories_;
  std::vector<Tensor> tensors_;
  std::vector<PreparedStep> steps_;
  std::vector<std::unique_ptr<const ForeignStep>> foreign_;  // behind steps whose state points to them
  std::unique_ptr<Memory> scratch_;
  int threads_;
  int commit_;
  std::vector<const int32_t*> guards_;
  mutable std::unique_ptr<Recording> recording_;
};

}  // namespace cortado
