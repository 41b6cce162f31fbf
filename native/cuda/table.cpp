#include "../kernels/list.h"
#include "device.h"
#include "list.h"

namespace cortado::cuda {

#define CORTADO_DECLARE_KERNEL(name, Type) Kernel kernel_##name();
CORTADO_KERNELS(CORTADO_DECLARE_KERNEL)
CORTADO_GPU_KERNELS(CORTADO_DECLARE_KERNEL)
#undef CORTADO_DECLARE_KERNEL

const KernelTable& kernels() {
#define CORTADO_ENTRY(name, Type) kernel_##name(),
  static const Kernel entries[] = {CORTADO_KERNELS(CORTADO_ENTRY) CORTADO_GPU_KERNELS(CORTADO_ENTRY)};
#undef CORTADO_ENTRY
  static const KernelTable table(entries, sizeof entries / sizeof *entries);
  return table;
}

}  // namespace cortado::cuda
