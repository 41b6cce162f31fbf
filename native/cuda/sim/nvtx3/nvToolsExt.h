// NVTX for a GPU that is not there: where a profiler would be loaded, lines are written that say which ranges begin and
// end.
#pragma once

#include <stdlib.h>

#include <fstream>

namespace cortado::sim {

inline void tell_profiler(const char* mark, const char* name) {
  if (const char* file = getenv("NVTX_INJECTION64_PATH")) std::ofstream(file, std::ios::app) << mark << name << '\n';
}

}  // namespace cortado::sim

inline int nvtxRangePushA(const char* name) {
  cortado::sim::tell_profiler("begin ", name);
  return 0;
}
inline int nvtxRangePop() {
  cortado::sim::tell_profiler("end", "");
  return 0;
}
