#pragma once

#include <string>
#include <vector>

#include "../include/cortado/op.h"
#include "kernel.h"

namespace cortado {

struct StepSpec;

/// A step that another addon's kernel computes (include/cortado/op.h), on the host.
class ForeignStep {
 public:
  /// Tensors, absent ones without data, stay where they are as long as the step. Throws Error USAGE for a kernel of
  /// another ABI, INTERNAL for tensors that are not float32.
  ForeignStep(const StepSpec& step, const std::vector<Tensor>& tensors);
  ForeignStep(const ForeignStep&) = delete;
  ForeignStep& operator=(const ForeignStep&) = delete;

  /// Throws Error USAGE with what the kernel says.
  void run(Threads& threads) const;

 private:
  struct Attribute {
    std::string name;
    std::vector<double> values;
  };

  const cortado_kernel& kernel_;
  std::string label_;
  std::vector<Tensor> places_;  // whose extents the views show
  std::vector<cortado_tensor> inputs_, outputs_;
  std::vector<Attribute> names_;
  std::vector<cortado_attribute> attributes_;
};

/// The kernel of such steps: its state is a pointer to one, and what runs it gives it a Run.
extern const Kernel kForeign;

}  // namespace cortado
