#define CORTADO_ISA portable
#include "../table.h"
