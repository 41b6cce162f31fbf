#pragma once

#include <stddef.h>

#include "device.h"

namespace cortado {

/// What a device's library finds on this machine. Versions are as the maker numbers them; 0: not there.
struct Finding {
  int driver, runtime, devices;
  /// The first call that failed, with code 0 where none did.
  int code;
  char call[64], name[64], text[192];
};

/// Changes whenever something that a device's library shares with the addon does: this file, Device, Memory, Plan, Job,
/// Kernel, Prepare, Error.
constexpr int kDeviceAbi = 3;

// A device's library has these, with C linkage: cortado_device_abi, cortado_device_examine, cortado_device_open.
using DeviceAbi = int();
using ExamineDevices = void(Finding&);
/// Opens device `index` into `device`; the same one for as long as somebody holds it. Throws Error DEVICE.
using OpenDevice = void(int index, std::shared_ptr<Device>& device);

}  // namespace cortado
