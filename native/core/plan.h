#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernel.h"
#include "memory.h"

namespace cortado {

/// What a device offers: its kernels.
class KernelTable {
 public:
  KernelTable(const Kernel* first, int count) : first_(first), count_(count) {}
  const Kernel* find(std::string_view name) const;

 private:
  const Kernel* first_;
  int count_;
};

/// A tensor's place, as the planner gives it.
struct TensorSpec {
  int memory;  // index into the plan's memories
  int64_t offset;
  std::vector<int64_t> shape;
  DType dtype;
};

/// One kernel call, as the planner gives it. Tensor index -1 is an absent tensor.
struct StepSpec {
  std::string kernel, label;
  std::vector<int> inputs, outputs;
  std::map<std::string, std::vector<double>, std::less<>> attributes;
};

struct PlanSpec {
  std::vector<std::shared_ptr<Memory>> memories;
  std::vector<TensorSpec> tensors;
  std::vector<StepSpec> steps;
  int threads;
  int commit;  // from this step on a run is no longer cancelled: what follows happens as a whole or not at all
  std::vector<int> guards;  // i32 flags: where one is raised when the commit is reached, the run ends there
};

/// A program ready to run: every tensor checked against its memory, every kernel prepared, once. A run is a loop.
class Plan {
 public:
  Plan(const KernelTable& table, PlanSpec spec);

  /// Runs every step in order. Stops between steps before the commit once `cancelled` is set, and returns false. Ends
  /// at the commit when a guard's flag is raised, and returns true: the flags are for the caller to read.
  /// `milliseconds`, when given, receives each step's time.
  bool run(Threads& threads, const std::atomic<bool>& cancelled, std::vector<double>* milliseconds) const;

  const Tensor& tensor(int index) const { return tensors_.at(static_cast<size_t>(index)); }
  int tensors() const { return static_cast<int>(tensors_.size()); }
  int threads() const { return threads_; }
  size_t scratch_bytes() const { return scratch_ ? scratch_->bytes() : 0; }

 private:
  bool guarded() const;

  struct Prepared {
    const Kernel* kernel;
    std::unique_ptr<std::byte[]> state;
  };
  std::vector<std::shared_ptr<Memory>> memories_;
  std::vector<Tensor> tensors_;
  std::vector<Prepared> steps_;
  std::unique_ptr<Memory> scratch_;
  int threads_;
  int commit_;
  std::vector<const int32_t*> guards_;
};

}  // namespace cortado
