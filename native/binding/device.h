#pragma once

#include <napi.h>

#include <memory>

#include "../core/device.h"

namespace cortado::binding {

/// new Device() is the CPU; new Device(library, index, options) opens a device of a library beside the addon, whose
/// functions core/library.h names; `libraries` is what became of those that it may use. Device.examine(library) asks
/// the library what it finds, opening none: { driver, runtime, devices, error: { call, code, name, text } | null }.
/// Device.isOpen(library): whether this process has opened it before.
class DeviceObject : public Napi::ObjectWrap<DeviceObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit DeviceObject(const Napi::CallbackInfo& info);

  const std::shared_ptr<Device>& share() const { return device_; }

 private:
  static Napi::Value examine(const Napi::CallbackInfo& info);
  static Napi::Value is_open(const Napi::CallbackInfo& info);
  Napi::Value libraries(const Napi::CallbackInfo& info);

  std::shared_ptr<Device> device_;
};

/// The device behind a JavaScript object; the CPU for undefined. Throws Error INTERNAL when it is something else.
std::shared_ptr<Device> device_of(const Napi::Value& value);

}  // namespace cortado::binding
