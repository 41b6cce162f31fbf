#define CORTADO_ISA own
#include "../products.h"
