#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace cortado {

/// Runs jobs one after the other on a thread of its own, in the order given: every job may use the whole machine, so
/// two at once would only take each other's cores.
class Executor {
 public:
  Executor();
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// `job` must not throw.
  void push(std::function<void()> job);

 private:
  void serve();
  void await_call() const;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  std::atomic<bool> called_ = false;  // something is in jobs_, or stop_ is set
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace cortado
