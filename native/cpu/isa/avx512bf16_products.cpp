// What instructions for pairs of bfloat16 and fours of int8 make a difference to; all other kernels are those of
// avx512.
#define CORTADO_ISA avx512bf16
#include "../conv2d_bf16.h"
#include "../define_table.h"
#include "../dense_bf16.h"
#include "../dense_int8.h"
#include "../list.h"

namespace cortado::avx512bf16 {
CORTADO_DEFINE_TABLE(kProducts, CORTADO_NARROW_KERNELS(CORTADO_ENTRY))
}
