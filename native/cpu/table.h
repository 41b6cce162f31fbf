// Included once by files in isa/, which set CORTADO_ISA (a namespace) and their compiler flags: the same kernels,
// compiled for one instruction set. Convolutions and inner products are in files of their own (products.h).
#pragma once

#include "../kernels/activations.h"
#include "../kernels/list.h"
#include "../kernels/power.h"
#include "accuracy.h"
#include "batch_norm.h"
#include "contrastive_loss.h"
#include "define_table.h"
#include "dropout.h"
#include "elementwise.h"
#include "eltwise.h"
#include "fill.h"
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
CORTADO_DEFINE_TABLE(kTable, CORTADO_OTHER_KERNELS(CORTADO_ENTRY))
}
