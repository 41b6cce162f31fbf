#pragma once

#include <napi.h>

#include <memory>

#include "../core/device.h"

namespace cortado::binding {

/// new Memory(bytes, device?) · bytes · write(offset, array, start, end) · writeImages(offset, images, first, last) ·
/// dispose(). V8 is told of its size.
class MemoryObject : public Napi::ObjectWrap<MemoryObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit MemoryObject(const Napi::CallbackInfo& info);

  /// The memory behind a JavaScript object, also for the methods and accessors that node-addon-api calls. Throws
  /// INTERNAL when it is something else.
  static MemoryObject* Unwrap(Napi::Object object);

  /// A share of the block. Throws Error DISPOSED.
  std::shared_ptr<Memory> share() const;
  const std::shared_ptr<Device>& device() const { return device_; }
  void Finalize(Napi::BasicEnv env) override;

 private:
  Napi::Value bytes(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  Napi::Value write_images(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<Device> device_;
  std::shared_ptr<Memory> memory_;
};

}  // namespace cortado::binding
