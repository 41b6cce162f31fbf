#pragma once

#include <memory>

#include "../core/library.h"

namespace cortado::cuda {

/// Every kernel that a GPU has: native/kernels/list.h.
const KernelTable& kernels();

class Vendor;

/// NVIDIA's libraries on the device that a plan is prepared for.
Vendor& vendor_of(Device& device);

/// Device `index`, the same one for as long as somebody holds it. Throws Error DEVICE.
std::shared_ptr<Device> open(int index, const OpenOptions& options);

}  // namespace cortado::cuda
