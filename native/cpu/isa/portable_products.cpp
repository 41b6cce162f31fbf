#define CORTADO_ISA portable
#include "../products.h"
