#include "executor.h"

#include <chrono>
#include <utility>

namespace cortado {

namespace {
/// To wake a thread from sleep takes tens of microseconds, on a virtual machine more.
constexpr std::chrono::microseconds kPatience{200};
}  // namespace

Executor::Executor() : thread_([this] { serve(); }) {}

Executor::~Executor() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = called_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Executor::push(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    called_ = true;
  }
  wake_.notify_one();
}

/// Stays awake for a while, ready for what follows at once, but gives way to every other thread.
void Executor::await_call() const {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!called_ && std::chrono::steady_clock::now() < end) std::this_thread::yield();
}

void Executor::serve() {
  while (true) {
    std::function<void()> job;
    await_call();
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stop_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
      called_ = stop_ || !jobs_.empty();
    }
    job();
  }
}

}  // namespace cortado
