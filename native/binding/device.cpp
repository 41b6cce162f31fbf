#include "device.h"

#ifndef _WIN32
#include <dlfcn.h>
#endif

#include "../core/error.h"
#include "../core/library.h"
#include "../cpu/device.h"
#include "arrays.h"
#include "guard.h"

namespace cortado::binding {

namespace {

constexpr napi_type_tag kDeviceTag = {0x636f727461646f02, 0x646576696365};

/// A function of a device's library. The library stays loaded: drivers do not survive being unloaded.
template <class Function>
Function* find(void* library, const char* path, const char* name) {
#ifdef _WIN32
  (void)library;
  void* found = nullptr;
#else
  void* found = dlsym(library, name);
#endif
  if (!found) fail("DEVICE", "device: %s has no function %s: build it again", path, name);
  return reinterpret_cast<Function*>(found);
}

void* load(const std::string& path) {
#ifdef _WIN32
  fail("DEVICE", "device: %s: devices besides the CPU are not offered on Windows", path.c_str());
#else
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) fail("DEVICE", "device: %s", dlerror());
  const int abi = find<DeviceAbi>(library, path.c_str(), "cortado_device_abi")();
  if (abi != kDeviceAbi)
    fail("DEVICE", "device: %s is of another version (%d, %d needed): build it again", path.c_str(), abi, kDeviceAbi);
  return library;
#endif
}

bool is_loaded(const std::string& path) {
#ifdef _WIN32
  (void)path;
  return false;
#else
  void* library = dlopen(path.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (library) dlclose(library);  // takes back this reference: load()'s own is never
  return library != nullptr;
#endif
}

std::string text_of(const Napi::Value& value) {
  if (!value.IsString()) fail("INTERNAL", "device: expected a text");
  return value.As<Napi::String>().Utf8Value();
}

/// { cudnn: string[], cublaslt: string[], plans: string, threads: number }.
OpenOptions options_of(const Napi::Value& value) {
  if (!value.IsObject()) fail("INTERNAL", "device: expected options");
  const Napi::Object object = value.As<Napi::Object>();
  const auto list = [&](const char* name) {
    if (!object.Get(name).IsArray()) fail("INTERNAL", "device: expected a list %s", name);
    const Napi::Array array = object.Get(name).As<Napi::Array>();
    std::vector<std::string> texts;
    for (uint32_t i = 0; i < array.Length(); ++i) texts.push_back(text_of(array.Get(i)));
    return texts;
  };
  const size_t threads = std::min(whole(object.Get("threads"), "threads"), size_t{1} << 10);
  return {list("cudnn"), list("cublaslt"), text_of(object.Get("plans")), static_cast<int>(threads)};
}

}  // namespace

Napi::Function DeviceObject::define(Napi::Env env) {
  return DefineClass(env, "Device",
                     {StaticMethod<&DeviceObject::examine>("examine"), StaticMethod<&DeviceObject::is_open>("isOpen"),
                      InstanceAccessor<&DeviceObject::libraries>("libraries")});
}

DeviceObject::DeviceObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<DeviceObject>(info) {
  guard(info.Env(), [&] {
    if (info[0].IsUndefined()) {
      device_ = cpu::open();
    } else {
      const std::string path = text_of(info[0]);
      const auto index = static_cast<int>(std::min(whole(info[1], "index"), size_t{1} << 20));
      find<OpenDevice>(load(path), path.c_str(), "cortado_device_open")(index, options_of(info[2]), device_);
    }
    info.This().As<Napi::Object>().TypeTag(&kDeviceTag);
  });
}

Napi::Value DeviceObject::examine(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&]() -> Napi::Value {
    const std::string path = text_of(info[0]);
    Finding finding{};
    find<ExamineDevices>(load(path), path.c_str(), "cortado_device_examine")(finding);
    Napi::Object answer = Napi::Object::New(env);
    answer.Set("driver", finding.driver);
    answer.Set("runtime", finding.runtime);
    answer.Set("devices", finding.devices);
    answer.Set("error", env.Null());
    if (finding.code == 0) return answer;
    Napi::Object error = Napi::Object::New(env);
    error.Set("call", Napi::String::New(env, finding.call));
    error.Set("code", finding.code);
    error.Set("name", Napi::String::New(env, finding.name));
    error.Set("text", Napi::String::New(env, finding.text));
    answer.Set("error", error);
    return answer;
  });
}

Napi::Value DeviceObject::is_open(const Napi::CallbackInfo& info) {
  return guard(info.Env(),
               [&]() -> Napi::Value { return Napi::Boolean::New(info.Env(), is_loaded(text_of(info[0]))); });
}

Napi::Value DeviceObject::libraries(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Array list = Napi::Array::New(env);
  for (const LibraryFound& found : device_->libraries()) {
    Napi::Object item = Napi::Object::New(env);
    item.Set("name", found.name);
    item.Set("path", found.path);
    item.Set("problem", found.problem);
    item.Set("version", found.version);
    list.Set(list.Length(), item);
  }
  return list;
}

std::shared_ptr<Device> device_of(const Napi::Value& value) {
  if (value.IsUndefined()) return cpu::open();
  if (value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&kDeviceTag))
    return Napi::ObjectWrap<DeviceObject>::Unwrap(value.As<Napi::Object>())->share();
  fail("INTERNAL", "device: expected a device, got something else");
}

}  // namespace cortado::binding
