#include "places.h"

#ifdef __linux__
#include <sched.h>
#endif

namespace cortado {

namespace {

int current_processor() {
#ifdef __linux__
  return sched_getcpu();
#else
  return -1;
#endif
}

}  // namespace

Places::Places(int threads)
    : threads_(threads), processors_(std::make_unique<std::atomic<int>[]>(static_cast<size_t>(threads))) {
  for (int i = 0; i < threads; ++i) processors_[static_cast<size_t>(i)] = -1;
}

/// Everyone reads everyone's place in every round, so a place is only written when it has changed.
void Places::enter(int thread) {
  std::atomic<int>& own = processors_[static_cast<size_t>(thread)];
  const int here = current_processor();
  if (own.load(std::memory_order_relaxed) != here) own.store(here, std::memory_order_relaxed);
  if (here < 0) return;
  for (int lower = 0; lower < thread; ++lower) {
    if (processors_[static_cast<size_t>(lower)].load(std::memory_order_relaxed) != here) continue;
    move();
    return own.store(current_processor(), std::memory_order_relaxed);
  }
}

void Places::move() const {
#ifdef __linux__
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  cpu_set_t open = allowed;
  for (int i = 0; i < threads_; ++i) {
    const int taken = processors_[static_cast<size_t>(i)].load(std::memory_order_relaxed);
    if (taken >= 0) CPU_CLR(static_cast<size_t>(taken), &open);
  }
  if (CPU_COUNT(&open) == 0 || sched_setaffinity(0, sizeof open, &open) != 0) return;
  // Whoever has confined the thread meanwhile is not to be overruled.
  cpu_set_t now;
  if (sched_getaffinity(0, sizeof now, &now) == 0 && CPU_EQUAL(&now, &open))
    sched_setaffinity(0, sizeof allowed, &allowed);
#endif
}

}  // namespace cortado
