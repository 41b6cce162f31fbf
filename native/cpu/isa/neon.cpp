#define CORTADO_ISA neon
#include "../table.h"
