#include "plan.h"

#include <limits.h>
#include <math.h>

#include <algorithm>

#include "../cpu/device.h"
#include "../include/cortado/export.h"
#include "external.h"
#include "guard.h"
#include "memory.h"
#include "runs.h"

namespace cortado::binding {

namespace {

constexpr napi_type_tag kPlanTag = {0x636f727461646f01, 0x706c616e};
constexpr double kLargestExact = 9007199254740992.0;  // 2^53
constexpr uint32_t kLargestReserve = 1 << 16;         // a list may claim any length
constexpr int kMaxThreads = 1024;

template <class T, class Parse>
std::vector<T> list_of(const Napi::Value& value, const Parse& parse) {
  if (!value.IsArray()) fail("INTERNAL", "plan: expected a list");
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<T> list;
  list.reserve(std::min(array.Length(), kLargestReserve));
  for (uint32_t i = 0; i < array.Length(); ++i) list.push_back(parse(array.Get(i)));
  return list;
}

double number_of(const Napi::Value& value) {
  if (!value.IsNumber()) fail("INTERNAL", "plan: expected a number");
  return value.As<Napi::Number>().DoubleValue();
}

int64_t whole_of(const Napi::Value& value) {
  const double number = number_of(value);
  if (!(fabs(number) < kLargestExact) || number != floor(number))
    fail("INTERNAL", "plan: expected a whole number, got %g", number);
  return static_cast<int64_t>(number);
}

int index_of(const Napi::Value& value) {
  const int64_t index = whole_of(value);
  if (index < -1 || index > INT_MAX) fail("INTERNAL", "plan: expected an index or -1, got %lld", (long long)index);
  return static_cast<int>(index);
}

int threads_of(const Napi::Value& value) {
  const int64_t threads = whole_of(value);
  if (threads < 1 || threads > kMaxThreads)
    fail("USAGE", "plan: expected 1 to %d threads, got %lld", kMaxThreads, (long long)threads);
  return static_cast<int>(threads);
}

std::string text_of(const Napi::Value& value) {
  if (!value.IsString()) fail("INTERNAL", "plan: expected a string");
  return value.As<Napi::String>().Utf8Value();
}

/// Float32 where nothing is said.
Precision precision_of(const Napi::Value& value) {
  const std::string name = value.IsUndefined() ? "float32" : text_of(value);
  if (name == "float32") return Precision::f32;
  if (name == "tf32") return Precision::tf32;
  if (name == "bfloat16") return Precision::bf16;
  if (name == "float16") return Precision::f16;
  fail("INTERNAL", "plan: expected a precision, got %s", name.c_str());
}

Napi::Object object_of(const Napi::Value& value, const char* what) {
  if (!value.IsObject()) fail("INTERNAL", "plan: expected %s", what);
  return value.As<Napi::Object>();
}

DType dtype_of(const std::string& name) {
  if (name == "f32") return DType::f32;
  if (name == "i32") return DType::i32;
  if (name == "u8") return DType::u8;
  if (name == "i8") return DType::i8;
  if (name == "bf16") return DType::bf16;
  if (name == "f16") return DType::f16;
  fail("INTERNAL", "plan: expected a dtype, got %s", name.c_str());
}

TensorSpec parse_tensor(const Napi::Value& value) {
  const Napi::Object object = object_of(value, "a tensor");
  return {index_of(object.Get("memory")), whole_of(object.Get("offset")),
          list_of<int64_t>(object.Get("shape"), whole_of), dtype_of(text_of(object.Get("dtype"))),
          object.Get("channelsLast").ToBoolean()};
}

/// A kernel of another addon, which cortado_export has marked; what else an addon may hand out is not looked at.
const cortado_kernel* foreign_of(const Napi::Value& value, const std::string& label) {
  if (value.IsUndefined()) return nullptr;
  bool marked = false;
  if (value.IsExternal()) napi_check_object_type_tag(value.Env(), value, &cortado_kernel_tag, &marked);
  if (!marked) fail("USAGE", "%s: expected a kernel that cortado_export made, got something else", label.c_str());
  return value.As<Napi::External<const cortado_kernel>>().Data();
}

StepSpec parse_step(const Napi::Value& value) {
  const Napi::Object object = object_of(value, "a step");
  StepSpec step{text_of(object.Get("kernel")),
                text_of(object.Get("label")),
                list_of<int>(object.Get("inputs"), index_of),
                list_of<int>(object.Get("outputs"), index_of),
                {},
                nullptr};
  step.foreign = foreign_of(object.Get("native"), step.label);
  const Napi::Object attributes = object_of(object.Get("attributes"), "attributes");
  const Napi::Array names = attributes.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); ++i) {
    const std::string name = text_of(names.Get(i));
    const Napi::Value attribute = attributes.Get(name);
    step.attributes[name] =
        attribute.IsArray() ? list_of<double>(attribute, number_of) : std::vector<double>{number_of(attribute)};
  }
  return step;
}

/// The plan's memories, and the device that all of them must be of: without any, the CPU.
std::vector<std::shared_ptr<Memory>> memories_of(const Napi::Value& value, std::shared_ptr<Device>& device) {
  auto memories = list_of<std::shared_ptr<Memory>>(value, [&device](const Napi::Value& item) {
    const MemoryObject& memory = *MemoryObject::Unwrap(object_of(item, "a memory"));
    if (!device) device = memory.device();
    if (memory.device() != device) fail("INTERNAL", "plan: expected memories of one device");
    return memory.share();
  });
  if (!device) device = cpu::open();
  return memories;
}

/// Only the CPU's memory is for the functions of other addons to follow.
std::vector<StepSpec> steps_of(const Napi::Value& value, const Device& device) {
  auto steps = list_of<StepSpec>(value, parse_step);
  for (const StepSpec& step : steps)
    if (step.foreign && &device != cpu::open().get())
      fail("DEVICE", "%s: expected the CPU for a kernel of one's own, got another device", step.label.c_str());
  return steps;
}

size_t size_of(const Napi::Value& value) {
  const int64_t size = whole_of(value);
  if (size < 0) fail("INTERNAL", "run: expected a number of bytes, got %lld", (long long)size);
  return static_cast<size_t>(size);
}

/// A memory of the device, in which the bytes lie.
std::shared_ptr<Memory> place_of(const Napi::Value& value, const std::shared_ptr<Device>& device, size_t offset,
                                 size_t bytes) {
  const MemoryObject& object = *MemoryObject::Unwrap(object_of(value, "a memory"));
  if (object.device() != device) fail("INTERNAL", "run: expected a copy between memories of the plan's device");
  std::shared_ptr<Memory> memory = object.share();
  if (offset > memory->bytes() || bytes > memory->bytes() - offset)
    fail("INTERNAL", "run: %zu bytes at byte %zu do not fit", bytes, offset);
  return memory;
}

/// { from, fromOffset, to, toOffset, bytes }.
Copy parse_copy(const Napi::Value& value, const std::shared_ptr<Device>& device) {
  const Napi::Object object = object_of(value, "a copy");
  Copy copy{};
  copy.from_offset = size_of(object.Get("fromOffset"));
  copy.to_offset = size_of(object.Get("toOffset"));
  copy.bytes = size_of(object.Get("bytes"));
  copy.from = place_of(object.Get("from"), device, copy.from_offset, copy.bytes);
  copy.to = place_of(object.Get("to"), device, copy.to_offset, copy.bytes);
  return copy;
}

}  // namespace

Napi::Function PlanObject::define(Napi::Env env) {
  return DefineClass(
      env, "Plan",
      {InstanceMethod<&PlanObject::prepare>("prepare"), InstanceMethod<&PlanObject::run>("run"),
       InstanceMethod<&PlanObject::cancel>("cancel"), InstanceAccessor<&PlanObject::scratch_bytes>("scratchBytes"),
       InstanceMethod<&PlanObject::dispose>("dispose")});
}

PlanObject::PlanObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PlanObject>(info) {
  guard(info.Env(), [&] {
    if (!info[0].IsObject()) fail("INTERNAL", "plan: expected a description");
    const Napi::Object spec = info[0].As<Napi::Object>();
    auto memories = memories_of(spec.Get("memories"), device_);
    spec_ =
        PlanSpec{std::move(memories),
                 list_of<TensorSpec>(spec.Get("tensors"), parse_tensor),
                 steps_of(spec.Get("steps"), *device_),
                 threads_of(spec.Get("threads")),
                 precision_of(spec.Get("precision")),
                 spec.Get("commit").IsUndefined() ? INT_MAX : index_of(spec.Get("commit")),
                 spec.Get("guards").IsUndefined() ? std::vector<int>{} : list_of<int>(spec.Get("guards"), index_of)};
    info.This().As<Napi::Object>().TypeTag(&kPlanTag);
  });
}

PlanObject* PlanObject::Unwrap(Napi::Object object) {
  if (object.CheckTypeTag(&kPlanTag)) return Napi::ObjectWrap<PlanObject>::Unwrap(object);
  throw make_error(object.Env(), "USAGE", "plan: expected a plan, got another object");
}

/// A plan on its way to be prepared: a library may think for a second about a convolution.
class PlanObject::Preparation final : public Napi::AsyncWorker {
 public:
  Preparation(Napi::Object object, PlanObject& plan)
      : AsyncWorker(object.Env(), "cortado.prepare"),
        deferred_(object.Env()),
        object_(Napi::Persistent(object)),
        plan_(plan),
        device_(plan.device_),
        spec_(std::move(*plan.spec_)) {}

  Napi::Value promise() const { return deferred_.Promise(); }

 private:
  void Execute() override {
    try {
      made_ = std::make_shared<const Plan>(device_, std::move(spec_));
    } catch (...) {
      failure_ = std::current_exception();
    }
  }
  void OnOK() override {
    try {
      settle();
    } catch (const Napi::Error&) {
      // The environment is being terminated: nobody waits for the promise.
    }
  }
  void settle() {
    try {
      guard(Env(), [this] {
        if (failure_) std::rethrow_exception(failure_);
      });
    } catch (const Napi::Error& error) {
      return deferred_.Reject(error.Value());
    }
    if (!plan_.disposed_) {
      plan_.plan_ = std::move(made_);
      tell_of_memory(Env(), static_cast<int64_t>(plan_.plan_->scratch_bytes()));
    }
    deferred_.Resolve(Env().Undefined());
  }

  Napi::Promise::Deferred deferred_;
  Napi::ObjectReference object_;  // keeps the plan's object alive
  PlanObject& plan_;
  std::shared_ptr<Device> device_;
  PlanSpec spec_;
  std::shared_ptr<const Plan> made_;
  std::exception_ptr failure_;
};

Napi::Value PlanObject::prepare(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    if (!spec_) fail("DISPOSED", "prepare: expected a plan that was not prepared yet");
    auto* const work = new Preparation(info.This().As<Napi::Object>(), *this);  // deletes itself
    spec_.reset();
    const Napi::Value promise = work->promise();
    work->Queue();
    return promise;
  });
}

Napi::Value PlanObject::run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&]() -> Napi::Value {
    if (!plan_) fail("DISPOSED", "run: expected a prepared, live plan");
    auto job = std::make_shared<Job>();
    job->plan = plan_;
    job->outputs = list_of<int>(info[0], index_of);
    for (const int index : job->outputs)
      if (index < 0 || index >= plan_->tensors()) fail("INTERNAL", "run: no tensor %d", index);
    job->profile = info[1].ToBoolean();
    if (!info[2].IsUndefined())
      job->copies = list_of<Copy>(info[2], [this](const Napi::Value& copy) { return parse_copy(copy, device_); });
    if (device_->run_here(*job)) return answer_of(env, *job);
    job_ = job;
    return env.GetInstanceData<Runs>()->start(std::move(job), device_);
  });
}

Napi::Value PlanObject::cancel(const Napi::CallbackInfo& info) {
  if (const std::shared_ptr<Job> job = job_.lock()) job->cancelled = true;
  return info.Env().Undefined();
}

Napi::Value PlanObject::scratch_bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), plan_ ? static_cast<double>(plan_->scratch_bytes()) : 0);
}

Napi::Value PlanObject::dispose(const Napi::CallbackInfo& info) {
  Finalize(info.Env());
  return info.Env().Undefined();
}

void PlanObject::Finalize(Napi::BasicEnv env) {
  disposed_ = true;
  spec_.reset();
  if (!plan_) return;
  tell_of_memory(env, -static_cast<int64_t>(plan_->scratch_bytes()));
  plan_.reset();
}

}  // namespace cortado::binding
