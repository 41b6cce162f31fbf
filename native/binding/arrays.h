#pragma once

#include <napi.h>

namespace cortado::binding {

/// The numbers of a typed array, which may lie in shared memory. Valid until JavaScript runs again.
struct Elements {
  const void* data = nullptr;
  size_t length = 0;
  napi_typedarray_type type = napi_uint8_array;
};

/// A number of at least 0. `what` is told in errors. Throws Error INTERNAL.
size_t whole(const Napi::Value& value, const char* what);

/// Throws Error USAGE when the value is no typed array.
Elements elements_of(const Napi::Value& value, const char* what);

}  // namespace cortado::binding
