#include "arrays.h"

#include "../core/error.h"

namespace cortado::binding {

namespace {
constexpr double kLargestExact = 9007199254740992.0;  // 2^53
}

size_t whole(const Napi::Value& value, const char* what) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0 && number < kLargestExact) || number != static_cast<double>(static_cast<size_t>(number))) {
    fail("INTERNAL", "memory: expected %s to be a whole number, got %g", what, number);
  }
  return static_cast<size_t>(number);
}

Elements elements_of(const Napi::Value& value, const char* what) {
  if (!value.IsTypedArray()) fail("USAGE", "memory: expected %s to be a typed array", what);
  Elements elements;
  void* data = nullptr;
  // Asked for by itself: Napi::TypedArray finds no data where the buffer is a shared one.
  const napi_status status =
      napi_get_typedarray_info(value.Env(), value, &elements.type, &elements.length, &data, nullptr, nullptr);
  if (status != napi_ok) fail("INTERNAL", "memory: cannot look into the typed array of %s", what);
  elements.data = data;
  return elements;
}

}  // namespace cortado::binding
