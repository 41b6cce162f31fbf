#define CORTADO_ISA avx512
#include "../table.h"
