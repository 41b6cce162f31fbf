#define CORTADO_ISA neon
#include "../products.h"
