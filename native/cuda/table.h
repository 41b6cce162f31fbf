// Each file of kernels defines those of one part of native/kernels/list.h; table.cpp joins all parts. A kernel that
// none defines is an undefined symbol, which the linker refuses.
#pragma once

#include "../kernels/list.h"
#include "launch.h"

#define CORTADO_DEFINE_KERNEL(name, Type) \
  Kernel kernel_##name() { return make_kernel<Type, Launch>(#name); }
