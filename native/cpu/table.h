// Included once by files in isa/, which set CORTADO_ISA (a namespace) and their compiler flags: the same kernels,
// compiled for one instruction set.
#pragma once

#include "../kernels/activations.h"
#include "../kernels/list.h"
#include "../kernels/power.h"
#include "accuracy.h"
#include "batch_norm.h"
#include "contrastive_loss.h"
#include "conv2d.h"
#include "conv2d_bf16.h"
#include "conv2d_rows.h"
#include "conv2d_rows_wgrad.h"
#include "conv2d_winograd.h"
#include "conv2d_winograd_shallow.h"
#include "conv2d_winograd_shallow_wgrad.h"
#include "deconv2d.h"
#include "define_table.h"
#include "dense.h"
#include "dense_bf16.h"
#include "dense_int8.h"
#include "dropout.h"
#include "elementwise.h"
#include "eltwise.h"
#include "fill.h"
#include "list.h"
#include "lrn.h"
#include "lrn_pool.h"
#include "lrn_within.h"
#include "movement.h"
#include "non_finite.h"
#include "pool.h"
#include "pool_average.h"
#include "pool_grad.h"
#include "probe.h"
#include "reduction.h"
#include "regression_loss.h"
#include "scale.h"
#include "softmax.h"
#include "softmax_loss.h"
#include "solvers.h"
#include "take_rows.h"

namespace cortado::CORTADO_ISA {

CORTADO_DEFINE_TABLE(CORTADO_KERNELS(CORTADO_ENTRY) CORTADO_CPU_KERNELS(CORTADO_ENTRY))

}  // namespace cortado::CORTADO_ISA
