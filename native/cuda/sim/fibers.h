#pragma once

#include <functional>

#include "cuda_runtime.h"

namespace cortado::sim {

/// In which order a block's threads, and a grid's blocks, take their turns: CORTADO_SIM_ORDER=forward (the default) or
/// reverse. A kernel whose result depends on it lacks a barrier.
enum class Order { forward, reverse };
Order& order();

/// Runs a kernel's grid to its end on the calling thread. Ends the process with a message where a real GPU would hang
/// or compute nonsense: a barrier that not all threads reach, a mask that names a lane which is not there.
void run_grid(dim3 blocks, dim3 threads, const std::function<void()>& kernel);

}  // namespace cortado::sim
