#include "memory.h"

#include <string.h>

#include <algorithm>

#include "../core/threads.h"
#include "arrays.h"
#include "device.h"
#include "external.h"
#include "guard.h"
#include "images.h"

namespace cortado::binding {

namespace {

constexpr napi_type_tag kMemoryTag = {0x636f727461646f00, 0x6d656d6f7279};

/// Elements that are worth another thread's while.
constexpr int64_t kSlice = 1 << 15;

/// Writes `count` elements of `from`, beginning with `start`.
using Put = void (*)(float* to, const void* from, size_t start, size_t count);

template <class From>
void convert(float* to, const void* from, size_t start, size_t count) {
  const From* source = static_cast<const From*>(from) + start;
  std::transform(source, source + count, to, [](From value) { return static_cast<float>(value); });
}

void copy(float* to, const void* from, size_t start, size_t count) {
  memcpy(to, static_cast<const float*>(from) + start, count * sizeof(float));
}

Put put_of(napi_typedarray_type type) {
  switch (type) {
    case napi_float32_array:
    case napi_uint32_array:
      return copy;
    case napi_float64_array:
      return convert<double>;
    case napi_int32_array:
      return convert<int32_t>;
    case napi_uint8_array:
    case napi_uint8_clamped_array:
      return convert<uint8_t>;
    default:
      fail("USAGE", "memory: expected a Float32Array, Float64Array, Int32Array or Uint8Array");
  }
}

/// Copies elements [start, end) of a typed array as float32; 32-bit unsigned arrays are copied as they are (random
/// state).
void write_elements(Memory& memory, size_t offset, const Elements& array, size_t start, size_t end) {
  if (end > array.length || start > end) {
    fail("USAGE", "memory: expected elements within the array's %zu, got [%zu, %zu): was its buffer transferred?",
         array.length, start, end);
  }
  const size_t count = end - start;
  if (offset > memory.bytes() || count > (memory.bytes() - offset) / sizeof(float))
    fail("INTERNAL", "memory: %zu elements at byte %zu do not fit", count, offset);
  if (offset % sizeof(float) != 0) fail("INTERNAL", "memory: expected a multiple of 4 as offset, got %zu", offset);
  if (count == 0) return;
  const Put put = put_of(array.type);
  memory.write(offset, count * sizeof(float), [&](uint8_t* place, Threads& team) {
    float* to = reinterpret_cast<float*>(place);
    for_slices(team, static_cast<int64_t>(count), kSlice, [&](int64_t begin, int64_t end) {
      put(to + begin, array.data, start + static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    });
  });
}

}  // namespace

Napi::Function MemoryObject::define(Napi::Env env) {
  return DefineClass(
      env, "Memory",
      {InstanceAccessor<&MemoryObject::bytes>("bytes"), InstanceMethod<&MemoryObject::write>("write"),
       InstanceMethod<&MemoryObject::write_images>("writeImages"), InstanceMethod<&MemoryObject::dispose>("dispose")});
}

MemoryObject::MemoryObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<MemoryObject>(info) {
  guard(info.Env(), [&] {
    const size_t bytes = whole(info[0], "bytes");
    device_ = device_of(info[1]);
    memory_ = device_->allocate(bytes);
    tell_of_memory(info.Env(), static_cast<int64_t>(memory_->bytes()));
    info.This().As<Napi::Object>().TypeTag(&kMemoryTag);
  });
}

MemoryObject* MemoryObject::Unwrap(Napi::Object object) {
  if (object.CheckTypeTag(&kMemoryTag)) return Napi::ObjectWrap<MemoryObject>::Unwrap(object);
  throw make_error(object.Env(), "INTERNAL", "memory: expected a memory, got another object");
}

std::shared_ptr<Memory> MemoryObject::share() const {
  if (!memory_) fail("DISPOSED", "memory: expected a live memory, got a disposed one");
  return memory_;
}

Napi::Value MemoryObject::bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), memory_ ? static_cast<double>(memory_->bytes()) : 0);
}

Napi::Value MemoryObject::write(const Napi::CallbackInfo& info) {
  guard(info.Env(), [&] {
    write_elements(*share(), whole(info[0], "offset"), elements_of(info[1], "what is written"), whole(info[2], "start"),
                   whole(info[3], "end"));
  });
  return info.Env().Undefined();
}

Napi::Value MemoryObject::write_images(const Napi::CallbackInfo& info) {
  guard(info.Env(), [&] {
    // A getter of the images may dispose this memory: the share keeps it until they are written.
    const std::shared_ptr<Memory> memory = share();
    binding::write_images(*memory, whole(info[0], "offset"), info[1], whole(info[2], "first"), whole(info[3], "last"));
  });
  return info.Env().Undefined();
}

Napi::Value MemoryObject::dispose(const Napi::CallbackInfo& info) {
  Finalize(info.Env());
  return info.Env().Undefined();
}

void MemoryObject::Finalize(Napi::BasicEnv env) {
  if (!memory_) return;
  tell_of_memory(env, -static_cast<int64_t>(memory_->bytes()));
  memory_.reset();
}

}  // namespace cortado::binding
