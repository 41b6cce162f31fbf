#include "team.h"

#include <system_error>

#include "error.h"

namespace cortado {

namespace {

/// About 0.2 ms: longer than what threads wait for each other within a step, far shorter than a scheduler's time slice.
/// Waking from sleep costs a virtual machine as much.
constexpr int kSpins = 20000;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

template <class Condition>
bool spin_until(const Condition& condition) {
  for (int i = 0; i < kSpins; ++i) {
    if (condition()) return true;
    relax();
  }
  return condition();
}

}  // namespace

Team::Team(int count) : count_(count), shares_(std::make_unique<Share[]>(static_cast<size_t>(count))), places_(count) {
  try {
    for (int thread = 1; thread < count; ++thread) threads_.emplace_back([this, thread] { serve(thread); });
  } catch (const std::system_error&) {
    const size_t started = threads_.size() + 1;
    stop();
    fail("OUT_OF_MEMORY", "threads: expected %d, the system gave %zu: set CORTADO_THREADS", count, started);
  }
}

Team::~Team() { stop(); }

void Team::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    ++round_;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Team::run(Work work, void* context) {
  if (count_ == 1) return work(context, 0);
  places_.enter(0);
  work_ = work;
  context_ = context;
  unfinished_.store(count_, std::memory_order_relaxed);
  const uint64_t round = round_.load(std::memory_order_relaxed) + 1;
  {
    const std::lock_guard lock(mutex_);
    round_.store(round, std::memory_order_release);
  }
  wake_.notify_all();
  work_off(0, round);
  const auto finished = [this] { return unfinished_.load(std::memory_order_acquire) == 0; };
  if (spin_until(finished)) return;
  std::unique_lock lock(mutex_);
  done_.wait(lock, finished);
}

/// The thread's own share, then those that nobody has begun. A thread that comes late to a round finds all of them
/// begun, and touches nothing: the next round starts when this one's shares are finished, not when every thread has
/// seen it.
void Team::work_off(int thread, uint64_t round) {
  for (int i = 0; i < count_; ++i) {
    const int number = (thread + i) % count_;
    uint64_t before = round - 1;
    if (!shares_[static_cast<size_t>(number)].begun.compare_exchange_strong(before, round, std::memory_order_acq_rel))
      continue;
    work_(context_, number);
    if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1 && thread != 0) {
      const std::lock_guard lock(mutex_);
      done_.notify_one();
    }
  }
}

void Team::serve(int thread) {
  uint64_t seen = 0;
  while (true) {
    const auto started = [this, &seen] { return round_.load(std::memory_order_acquire) != seen; };
    if (!spin_until(started)) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, started);
    }
    seen = round_.load(std::memory_order_acquire);
    if (stop_) return;
    places_.enter(thread);
    work_off(thread, seen);
  }
}

}  // namespace cortado
