#include "plan.h"

#include <string.h>

#include <algorithm>
#include <set>

#include "error.h"

namespace cortado {

namespace {

int64_t bytes_of(DType dtype) {
  if (dtype == DType::u8 || dtype == DType::i8) return 1;
  return dtype == DType::bf16 || dtype == DType::f16 ? 2 : 4;
}

Tensor place(const TensorSpec& spec, const std::vector<std::shared_ptr<Memory>>& memories, size_t index) {
  if (spec.memory < 0 || static_cast<size_t>(spec.memory) >= memories.size())
    fail("INTERNAL", "plan: tensor %zu is in no memory", index);
  if (spec.shape.size() > kMaxRank)
    fail("INTERNAL", "plan: tensor %zu has %zu axes, at most %d", index, spec.shape.size(), kMaxRank);
  const Memory& memory = *memories[static_cast<size_t>(spec.memory)];
  const auto limit = static_cast<int64_t>(memory.bytes());
  Tensor tensor;
  tensor.rank = static_cast<int>(spec.shape.size());
  tensor.dtype = spec.dtype;
  tensor.channels_last = spec.channels_last;
  if (tensor.channels_last && tensor.rank != 4) fail("INTERNAL", "plan: tensor %zu has no channels to be last", index);
  int64_t bytes = bytes_of(spec.dtype);
  for (int i = 0; i < tensor.rank; ++i) {
    const int64_t extent = tensor.dim[i] = spec.shape[static_cast<size_t>(i)];
    if (extent < 1 || bytes > limit / extent) fail("INTERNAL", "plan: tensor %zu does not fit its memory", index);
    bytes *= extent;
  }
  if (spec.offset < 0 || spec.offset > limit - bytes || spec.offset % 64 != 0)
    fail("INTERNAL", "plan: tensor %zu lies outside its memory", index);
  tensor.data = memory.data() + spec.offset;
  return tensor;
}

/// Refuses images in an order in which the kernel would not take them. One channel or one pixel is in either.
void check_layouts(const Kernel& kernel, const StepSpec& step, const std::vector<Tensor>& tensors) {
  bool first = kernel.layouts == Layouts::first, last = false;
  for (const auto& list : {step.inputs, step.outputs}) {
    for (const int index : list) {
      if (index < 0) continue;
      const Tensor& tensor = tensors[static_cast<size_t>(index)];
      if (tensor.rank == 4 && tensor.dim[1] > 1 && tensor.count(2, 4) > 1) (tensor.channels_last ? last : first) = true;
    }
  }
  if (first && last && kernel.layouts != Layouts::any)
    fail("INTERNAL", "%s: kernel %s does not take images in these orders", step.label.c_str(), kernel.name);
}

/// One step while its kernel reads it.
class StepReader final : public Prepare {
 public:
  StepReader(const StepSpec& step, const std::vector<Tensor>& tensors, const PlanSpec& plan, Device& device)
      : step_(step), tensors_(tensors), plan_(plan), device_(device) {}

  int inputs() const override { return static_cast<int>(step_.inputs.size()); }
  int outputs() const override { return static_cast<int>(step_.outputs.size()); }
  Tensor in(int index) const override { return at(step_.inputs, index); }
  Tensor out(int index) const override { return at(step_.outputs, index); }
  int threads() const override { return plan_.threads; }
  Precision precision() const override { return plan_.precision; }
  Device& device() const override { return device_; }
  void scratch(size_t bytes) override { scratch_ = std::max(scratch_, bytes); }

  double number(const char* name) override {
    const auto& values = find(name);
    if (values.size() != 1)
      fail("INTERNAL", "%s: kernel %s expected one number %s, got %zu", label(), kernel(), name, values.size());
    return values[0];
  }

  int64_t integer(const char* name) override {
    const double value = number(name);
    if (!(value >= INT32_MIN && value <= INT32_MAX) || value != static_cast<double>(static_cast<int64_t>(value)))
      fail("INTERNAL", "%s: kernel %s expected a whole %s, got %g", label(), kernel(), name, value);
    return static_cast<int64_t>(value);
  }

  int list(const char* name, double* values, int capacity) override {
    const auto& found = find(name);
    if (found.size() > static_cast<size_t>(capacity))
      fail("USAGE", "%s: expected at most %d values in %s, got %zu", label(), capacity, name, found.size());
    std::copy(found.begin(), found.end(), values);
    return static_cast<int>(found.size());
  }

  void expect(bool fits, const char* rule) override {
    if (!fits) fail("SHAPE", "%s: kernel %s expected %s", label(), kernel(), rule);
  }

  size_t scratch_bytes() const { return scratch_; }

  void check_all_read() const {
    for (const auto& [name, values] : step_.attributes) {
      if (!read_.contains(name))
        fail("INTERNAL", "%s: kernel %s does not know attribute %s", label(), kernel(), name.c_str());
    }
  }

 private:
  const std::vector<double>& find(const char* name) {
    const auto found = step_.attributes.find(name);
    if (found == step_.attributes.end()) fail("INTERNAL", "%s: kernel %s lacks attribute %s", label(), kernel(), name);
    read_.insert(found->first);
    return found->second;
  }

  Tensor at(const std::vector<int>& list, int index) const {
    if (index < 0 || static_cast<size_t>(index) >= list.size() || list[static_cast<size_t>(index)] < 0) return {};
    return tensors_.at(static_cast<size_t>(list[static_cast<size_t>(index)]));
  }

  const char* label() const { return step_.label.c_str(); }
  const char* kernel() const { return step_.kernel.c_str(); }

  const StepSpec& step_;
  const std::vector<Tensor>& tensors_;
  const PlanSpec& plan_;
  Device& device_;
  size_t scratch_ = 0;
  std::set<std::string_view> read_;
};

}  // namespace

Plan::Plan(std::shared_ptr<Device> device, PlanSpec spec)
    : device_(std::move(device)), memories_(std::move(spec.memories)), threads_(spec.threads), commit_(spec.commit) {
  tensors_.reserve(spec.tensors.size());
  for (const TensorSpec& tensor : spec.tensors) tensors_.push_back(place(tensor, memories_, tensors_.size()));
  size_t scratch = 0;
  for (const StepSpec& step : spec.steps) {
    for (const int index : step.inputs)
      if (index >= tensors()) fail("INTERNAL", "%s: no tensor %d", step.label.c_str(), index);
    for (const int index : step.outputs)
      if (index >= tensors()) fail("INTERNAL", "%s: no tensor %d", step.label.c_str(), index);
    if (step.foreign) {
      foreign_.push_back(std::make_unique<const ForeignStep>(step, tensors_));
      PreparedStep prepared{&kForeign, std::make_unique<std::byte[]>(kForeign.bytes), step.label};
      *reinterpret_cast<const ForeignStep**>(prepared.state.get()) = foreign_.back().get();
      steps_.push_back(std::move(prepared));
      continue;
    }
    const Kernel* kernel = device_->kernels().find(step.kernel);
    if (!kernel) fail("INTERNAL", "%s: this device has no kernel %s", step.label.c_str(), step.kernel.c_str());
    check_layouts(*kernel, step, tensors_);
    StepReader reader(step, tensors_, spec, *device_);
    PreparedStep prepared{kernel, std::make_unique<std::byte[]>(kernel->bytes), step.label};
    try {
      kernel->prepare(prepared.state.get(), reader);
    } catch (const Error& error) {
      // What a library refused is not said with the layer's name yet.
      if (strcmp(error.code, "DEVICE") != 0) throw;
      fail(error.code, "%s: kernel %s: %s", step.label.c_str(), kernel->name, error.message);
    }
    reader.check_all_read();
    scratch = std::max(scratch, reader.scratch_bytes());
    steps_.push_back(std::move(prepared));
  }
  for (const int index : spec.guards) {
    if (index < 0 || index >= tensors() || tensor(index).dtype != DType::i32)
      fail("INTERNAL", "plan: no flag %d to guard the commit", index);
    guards_.push_back(static_cast<const int32_t*>(tensor(index).data));
  }
  if (scratch > 0) scratch_ = device_->allocate(scratch);
}

}  // namespace cortado
