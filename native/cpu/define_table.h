// How a file in isa/ defines its table.
#pragma once

#include "../core/kernel.h"

#define CORTADO_ENTRY(name, Type) make_kernel<Type, Run>(#name),
#define CORTADO_DEFINE_TABLE(entries) \
  extern const Kernel kTable[];       \
  extern const int kTableSize;        \
  const Kernel kTable[] = {entries};  \
  const int kTableSize = sizeof(kTable) / sizeof(Kernel);
