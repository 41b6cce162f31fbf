#pragma once

#include <memory>
#include <string>
#include <vector>

#include "../core/device.h"
#include "../core/threads.h"

namespace cortado::cpu {

/// The machine's cores: one device, which all who open it share, and gone with the last of them.
std::shared_ptr<Device> open();

/// The kernels of the widest instruction set that this machine runs, or of the one that CORTADO_ISA names.
/// Throws Error DEVICE when CORTADO_ISA names one that the binary or the machine lacks.
const KernelTable& kernels();

/// Name of the instruction set in use, and of all that could be.
std::string isa();
std::vector<std::string> isas();

/// CORTADO_THREADS, or the physical cores.
int default_threads();

/// A standing team of that many threads.
std::unique_ptr<Threads> make_team(int threads);

}  // namespace cortado::cpu
