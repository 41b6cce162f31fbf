// Convolutions and inner products: all kernels that are in no other table (table.h), as large a part of the code as
// they. Included once by files in isa/, as that is.
#pragma once

#include "../kernels/list.h"
#include "conv2d.h"
#include "conv2d_bf16.h"
#include "conv2d_depthwise.h"
#include "conv2d_depthwise_wgrad.h"
#include "conv2d_flat.h"
#include "conv2d_flat_wgrad.h"
#include "conv2d_pointwise.h"
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
#include "list.h"
#include "non_finite.h"

namespace cortado::CORTADO_ISA {
CORTADO_DEFINE_TABLE(kProducts, CORTADO_PRODUCT_KERNELS(CORTADO_ENTRY) CORTADO_CPU_KERNELS(CORTADO_ENTRY))
}
