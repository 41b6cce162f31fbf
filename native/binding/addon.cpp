#include <napi.h>

#include "../core/system.h"
#include "../cpu/device.h"
#include "device.h"
#include "guard.h"
#include "memory.h"
#include "picture.h"
#include "plan.h"
#include "runs.h"

namespace cortado::binding {

namespace {

/// { isa, isas, threads, physicalCores, availableMemory }
Napi::Value info(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  return guard(env, [&]() -> Napi::Value {
    Napi::Object answer = Napi::Object::New(env);
    Napi::Array isas = Napi::Array::New(env);
    for (const std::string& name : cpu::isas()) isas.Set(isas.Length(), name);
    answer.Set("isa", cpu::isa());
    answer.Set("isas", isas);
    answer.Set("threads", cpu::default_threads());
    answer.Set("physicalCores", physical_cores());
    answer.Set("availableMemory", static_cast<double>(available_memory()));
    return answer;
  });
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  guard(env, [&] { env.SetInstanceData(new Runs(env)); });  // Node deletes it with the environment
  exports.Set("Device", DeviceObject::define(env));
  exports.Set("Memory", MemoryObject::define(env));
  exports.Set("Plan", PlanObject::define(env));
  exports.Set("cutPicture", Napi::Function::New<cut_picture>(env, "cutPicture"));
  exports.Set("info", Napi::Function::New<info>(env, "info"));
  return exports;
}

}  // namespace

NODE_API_MODULE(cortado, init)

}  // namespace cortado::binding
