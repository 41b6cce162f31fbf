#define CORTADO_ISA avx2
#include "../table.h"
