// Writing large results past the caches. An ordinary store first brings its line in from memory, half as much traffic
// again for a result that its reader will have to fetch from memory anyway.
#pragma once

#include "simd.h"

namespace cortado::CORTADO_ISA {

/// Whether nothing of a result of so many floats would still be in the last-level cache when it is read.
CORTADO_INLINE bool leaves_caches(int64_t floats) {
  constexpr int64_t kFloats = int64_t{1} << 23;  // 32 MiB, of which a thread's neighbours have their share
  return floats >= kFloats;
}

/// Floats from p to the next place of a whole vector.
CORTADO_INLINE int64_t to_next_vector(const float* p) {
  return static_cast<int64_t>(-reinterpret_cast<uintptr_t>(p) % sizeof(Vf) / sizeof(float));
}

/// Copies n floats past the caches, wherever they lie; call stream_end() after the last.
CORTADO_INLINE void copy_past(float* to, const float* from, int64_t n) {
  int64_t i = to_next_vector(to);
  if (i > n) i = n;
  store_part(to, load_part(from, i), i);
  for (; i + kLanes <= n; i += kLanes) store_stream(to + i, load(from + i));
  store_part(to + i, load_part(from + i, n - i), n - i);
}

}  // namespace cortado::CORTADO_ISA
