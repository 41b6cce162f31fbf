#pragma once

#include <napi.h>

#include <exception>
#include <new>
#include <utility>

#include "../core/error.h"

namespace cortado::binding {

/// A JavaScript error with a `code`; lib/native.ts turns it into the class that belongs to it.
inline Napi::Error make_error(Napi::Env env, const char* code, const char* message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

/// The one place where C++ exceptions become JavaScript's.
template <class Work>
auto guard(Napi::Env env, const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const Error& error) {
    throw make_error(env, error.code, error.message);
  } catch (const std::bad_alloc&) {
    throw make_error(env, "OUT_OF_MEMORY", "the system refused a small block of memory");
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw make_error(env, "INTERNAL", error.what());
  }
}

}  // namespace cortado::binding
