#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "places.h"
#include "threads.h"

namespace cortado {

/// Persistent threads. A share of the work belongs to the thread of its number, but whoever has done its own takes over
/// those that nobody has begun: a thread that the system keeps from running holds up no one. A waiting thread spins for
/// a moment, since a step's kernels follow each other closely, then sleeps, so that an idle team, or one beside a busy
/// process, costs nothing.
class Team final : public Threads {
 public:
  /// Throws Error OUT_OF_MEMORY when the system gives no more threads.
  explicit Team(int count);
  ~Team() override;
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int count() const override { return count_; }
  void run(Work work, void* context) override;

 private:
  /// The last round in which somebody began the share.
  struct alignas(64) Share {
    std::atomic<uint64_t> begun{0};
  };

  void serve(int thread);
  void work_off(int thread, uint64_t round);
  void stop();

  const int count_;
  std::unique_ptr<Share[]> shares_;
  Places places_;
  std::vector<std::thread> threads_;
  std::atomic<uint64_t> round_{0};  // a new number starts a round
  std::atomic<int> unfinished_{0};  // shares of the round
  Work work_ = nullptr;             // both are read by whoever has begun a share, which the round waits for
  void* context_ = nullptr;
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable wake_, done_;
};

}  // namespace cortado
