#pragma once

#include <stddef.h>

#define CORTADO_EXPORT extern "C" __attribute__((visibility("default")))

/// Changes whenever a function of this library changes its meaning; who loads it compares first.
#define CORTADO_CUDA_ABI 3

/// CORTADO_CUDA_ABI as it was when the library was compiled.
CORTADO_EXPORT int cortado_cuda_abi(void);

/// Writes what CUDA finds on this machine to `json` (at most `capacity` bytes with the final zero) and returns the
/// length it needs without the zero, so that a result >= capacity means: too small, nothing useful was written.
/// Asks the device of number `only`, or every one where that is negative.
/// Versions are CUDA's own numbers (13000 is 13.0; a driver version of 0 means that there is no driver).
///
///   { "abi": 3,
///     "built": { "toolkit": 13000, "architectures": "80;90", "needed": { "cuDNN": 90000, "cuBLASLt": 120000 } },
///     "driver": 13000, "runtime": 13000, "count": 8,
///     "error": { "call", "code", "name", "text" } or null,
///     "devices": [ { "index", "name", "computeCapability": "9.0", "memory", "free", "multiprocessors",
///                    "error": as above, or null where a kernel of this library ran there and answered right } ] }
CORTADO_EXPORT size_t cortado_cuda_probe(int only, char* json, size_t capacity);
