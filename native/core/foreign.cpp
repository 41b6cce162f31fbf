#include "foreign.h"

#include <exception>

#include "plan.h"

namespace cortado {

namespace {

void parallel(const cortado_call* call, int64_t count, int64_t grain, cortado_work work, void* context) {
  for_slices(*static_cast<Threads*>(call->internal), count, grain,
             [=](int64_t begin, int64_t end) { work(context, begin, end); });
}

/// What the kernel returns; what it throws, where it is C++ and forgot not to, is a message too.
int guarded(const cortado_kernel& kernel, const cortado_call& call) {
  try {
    return kernel.run(&call);
  } catch (const std::exception& error) {
    return cortado_fail(&call, error.what());
  } catch (...) {
    return cortado_fail(&call, "threw something that is no std::exception");
  }
}

void run_foreign(const void* prepared, const void* run) {
  (*static_cast<const ForeignStep* const*>(prepared))->run(static_cast<const Run*>(run)->threads);
}

}  // namespace

const Kernel kForeign = {"native", sizeof(const ForeignStep*), nullptr, run_foreign};

ForeignStep::ForeignStep(const StepSpec& step, const std::vector<Tensor>& tensors)
    : kernel_(*step.foreign), label_(step.label) {
  const char* label = label_.c_str();
  if (kernel_.abi != CORTADO_OP_ABI)
    fail("USAGE", "%s: expected a kernel built for version %d of cortado/op.h, got version %u; build its addon again",
         label, CORTADO_OP_ABI, kernel_.abi);
  if (!kernel_.run) fail("USAGE", "%s: expected a kernel that runs, got none", label);
  places_.reserve(step.inputs.size() + step.outputs.size());
  const auto view = [&](int index) -> cortado_tensor {
    const Tensor tensor = index < 0 ? Tensor{} : tensors.at(static_cast<size_t>(index));
    if (tensor.dtype != DType::f32) fail("INTERNAL", "%s: expected float32 tensors for a native kernel", label);
    places_.push_back(tensor);
    return {tensor.f32(), places_.back().dim, tensor.rank};
  };
  for (const int index : step.inputs) inputs_.push_back(view(index));
  for (const int index : step.outputs) outputs_.push_back(view(index));
  for (const auto& [name, values] : step.attributes) names_.push_back({name, values});
  for (const Attribute& each : names_)
    attributes_.push_back({each.name.c_str(), each.values.data(), each.values.size()});
}

void ForeignStep::run(Threads& threads) const {
  char message[CORTADO_OP_MESSAGE] = "";
  const cortado_call call = {inputs_.data(),     inputs_.size(), outputs_.data(), outputs_.size(), attributes_.data(),
                             attributes_.size(), parallel,       message,         &threads};
  if (guarded(kernel_, call) == 0) return;
  message[CORTADO_OP_MESSAGE - 1] = '\0';
  fail("USAGE", "%s: %s", label_.c_str(), *message ? message : "the kernel failed and did not say why");
}

}  // namespace cortado
