#pragma once

/// Kernels that only a GPU has: X(kernel name, type). No op asks for them; passes put them between others (see
/// lib/passes/target.ts).
#define CORTADO_GPU_KERNELS(X)                  \
  X(averagePool_relu_grad, AveragePoolReluGrad) \
  X(convert, Convert)                           \
  X(depth_to_space, DepthToSpace)               \
  X(lrn_relu_grad, LrnReluGrad)                 \
  X(maxPool_relu_grad, MaxPoolReluGrad)         \
  X(non_finite_product, NonFinite)              \
  X(space_to_depth, SpaceToDepth)
