#define CORTADO_ISA avx512
#include "../products.h"
