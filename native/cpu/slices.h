// Splits work for kernels that need memory of their own for each thread.
#pragma once

#include "../core/threads.h"

namespace cortado::CORTADO_ISA {

/// f(thread, begin, end) on contiguous slices of [0, n), one a thread: for_slices, for kernels with scratch per thread.
template <class F>
CORTADO_INLINE void for_numbered_slices(Threads& team, int64_t n, int64_t grain, const F& f) {
  if (team.count() == 1 || n < 2 * grain) {
    if (n > 0) f(0, int64_t{0}, n);
    return;
  }
  on_every_thread(team, [&](int thread, int threads) {
    const int64_t begin = n * thread / threads, end = n * (thread + 1) / threads;
    if (begin < end) f(thread, begin, end);
  });
}

/// Items that are worth waking a second thread for, at `work` elements each.
CORTADO_INLINE int64_t grain_of(int64_t work) {
  constexpr int64_t kElements = 8192;
  return work >= kElements ? 1 : kElements / (work > 0 ? work : 1);
}

/// Floats per thread, rounded up so that no two threads share a cache line.
CORTADO_INLINE int64_t padded(int64_t floats) { return (floats + 31) / 16 * 16; }

}  // namespace cortado::CORTADO_ISA
