// How a file in isa/ defines a table.
#pragma once

#include "../core/kernel.h"

#define CORTADO_ENTRY(name, Type) make_kernel<Type, Run>(#name),
#define CORTADO_DEFINE_TABLE(table, entries) \
  extern const Kernel table[];               \
  extern const int table##Size;              \
  const Kernel table[] = {entries};          \
  const int table##Size = sizeof(table) / sizeof(Kernel);
