#define CORTADO_ISA avx2
#include "../products.h"
