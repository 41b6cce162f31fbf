#pragma once

#include <stdint.h>

#include "tensor.h"

namespace cortado {

/// A team of threads that works through one kernel at a time. The split of the work depends only on the team's size, so
/// the same team gives the same bits.
class Threads {
 public:
  using Work = void (*)(void* context, int thread);
  virtual ~Threads() = default;
  virtual int count() const = 0;
  /// Calls work(context, t) once for every t in [0, count()) and returns when all are done. A thread may be given
  /// several of these shares, one after the other, so they must not wait for each other.
  virtual void run(Work work, void* context) = 0;
};

/// f(thread, threads) once for every thread of the team.
template <class F>
CORTADO_INLINE void on_every_thread(Threads& team, const F& f) {
  struct Context {
    const F* f;
    int threads;
  } context{&f, team.count()};
  team.run(
      [](void* c, int thread) {
        const auto* context = static_cast<const Context*>(c);
        (*context->f)(thread, context->threads);
      },
      &context);
}

/// f(begin, end) on contiguous slices of [0, n), one a thread; on the caller alone when there are fewer than 2 * grain
/// items.
template <class F>
CORTADO_INLINE void for_slices(Threads& team, int64_t n, int64_t grain, const F& f) {
  if (team.count() == 1 || n < 2 * grain) {
    if (n > 0) f(int64_t{0}, n);
    return;
  }
  on_every_thread(team, [&](int thread, int threads) {
    const int64_t begin = n * thread / threads, end = n * (thread + 1) / threads;
    if (begin < end) f(begin, end);
  });
}

}  // namespace cortado
