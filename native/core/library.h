#pragma once

#include <stddef.h>

#include <string>
#include <vector>

#include "device.h"

namespace cortado {

/// What a device's library finds on this machine. Versions are as the maker numbers them; 0: not there.
struct Finding {
  int driver, runtime, devices;
  /// The first call that failed, with code 0 where none did.
  int code;
  char call[64], name[64], text[192];
};

/// What a device is opened with: files of the libraries that it may use, best first; the folder where it keeps what it
/// has planned with them, empty: not at all; and how many threads of the host it may have work for it at once.
struct OpenOptions {
  std::vector<std::string> cudnn, cublaslt;
  std::string plans;
  int threads;
};

/// Changes whenever something that a device's library shares with the addon does: this file, Device, Memory, Plan, Job,
/// Kernel, Prepare, Error.
constexpr int kDeviceAbi = 4;

// A device's library has these, with C linkage: cortado_device_abi, cortado_device_examine, cortado_device_open.
using DeviceAbi = int();
using ExamineDevices = void(Finding&);
/// Opens device `index` into `device`; the same one, as it was opened first, for as long as somebody holds it. Throws
/// Error DEVICE.
using OpenDevice = void(int index, const OpenOptions& options, std::shared_ptr<Device>& device);

}  // namespace cortado
