#pragma once

namespace cortado {

/// The only exception that native code throws. `code` is one of the codes of lib/errors.ts. Visible, since it crosses
/// from a device's library into the addon.
struct __attribute__((visibility("default"))) Error {
  char code[32];
  char message[480];
};

/// Throws an Error with a printf-style message. Out of line, so that no instruction-set file carries exception code.
[[noreturn]] void fail(const char* code, const char* format, ...) __attribute__((format(printf, 2, 3)));

}  // namespace cortado
