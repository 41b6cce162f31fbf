// All that the compiling machine has (-march=native), for builds that run nowhere else.
#define CORTADO_ISA own
#include "../table.h"
