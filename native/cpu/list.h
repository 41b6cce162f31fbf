#pragma once

/// Kernels of products that only the CPU has: X(kernel name, type). No op asks for them; passes put them in place of
/// others (see lib/passes/target.ts).
#define CORTADO_CPU_KERNELS(X)                                 \
  CORTADO_NARROW_KERNELS(X)                                    \
  X(conv2d_depthwise, Conv2dDepthwise)                         \
  X(conv2d_depthwise_dgrad, Conv2dDepthwiseDgrad)              \
  X(conv2d_depthwise_wgrad, Conv2dDepthwiseWgrad)              \
  X(conv2d_filters, Conv2dFilters)                             \
  X(conv2d_flat, Conv2dFlat)                                   \
  X(conv2d_flat_dgrad, Conv2dFlatDgrad)                        \
  X(conv2d_flat_wgrad, Conv2dFlatWgrad)                        \
  X(conv2d_packed, Conv2dPacked)                               \
  X(conv2d_pointwise, Conv2dPointwise)                         \
  X(conv2d_pointwise_dgrad, Conv2dPointwiseDgrad)              \
  X(conv2d_rows, Conv2dRows)                                   \
  X(conv2d_rows_wgrad, Conv2dRowsWgrad)                        \
  X(conv2d_winograd, Conv2dWinograd)                           \
  X(conv2d_winograd_dgrad, Conv2dWinograd)                     \
  X(conv2d_winograd_shallow, Conv2dWinogradShallow)            \
  X(conv2d_winograd_shallow_wgrad, Conv2dWinogradShallowWgrad) \
  X(conv2d_winograd_wgrad, Conv2dWinogradWgrad)                \
  X(deconv2d_depthwise, Deconv2dDepthwise)                     \
  X(deconv2d_depthwise_dgrad, Deconv2dDepthwiseDgrad)          \
  X(deconv2d_flat, Deconv2dFlat)                               \
  X(deconv2d_flat_dgrad, Deconv2dFlatDgrad)                    \
  X(non_finite_product, NonFiniteProduct)                      \
  X(winograd_filters, WinogradFilters)

/// Those of them whose factors are bfloat16 or int8: all that instructions for such factors make a difference to.
#define CORTADO_NARROW_KERNELS(X)           \
  X(conv2d_bf16, Conv2dBf16)                \
  X(conv2d_bf16_filters, Conv2dBf16Filters) \
  X(conv2d_bf16_wgrad, Conv2dBf16Wgrad)     \
  X(dense_bf16, DenseBf16)                  \
  X(dense_bf16_dgrad, DenseBf16Dgrad)       \
  X(dense_bf16_wgrad, DenseBf16Wgrad)       \
  X(dense_int8, DenseInt8)                  \
  X(to_bf16, ToBf16)                        \
  X(to_int8, ToInt8)
