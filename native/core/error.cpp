#include "error.h"

#include <stdarg.h>
#include <stdio.h>

namespace cortado {

void fail(const char* code, const char* format, ...) {
  Error error;
  snprintf(error.code, sizeof error.code, "%s", code);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error.message, sizeof error.message, format, arguments);
  va_end(arguments);
  throw error;
}

}  // namespace cortado
