#include "device.h"

#include <algorithm>

namespace cortado {

const Kernel* KernelTable::find(std::string_view name) const {
  const Kernel* end = first_ + count_;
  const Kernel* found = std::find_if(first_, end, [name](const Kernel& kernel) { return name == kernel.name; });
  if (found != end) return found;
  return others_ ? others_->find(name) : nullptr;
}

}  // namespace cortado
