#pragma once

#include <atomic>
#include <memory>

namespace cortado {

/// Which processors a team's threads work on, so that no two of them share one while another is open to them.
///
/// Systems part two threads of one processor by themselves when another is idle, but not when it has anything else to
/// do, however low its priority: each of the two sleeps part of the time, so neither looks like one too many. A build
/// in the background then halves a net's speed.
class Places {
 public:
  explicit Places(int threads);

  /// `thread`, which calls this, is about to work. Where one of a lower number was last seen on the same processor, it
  /// moves to one where nobody of the team was, if there is one; the first thread, the team's caller, never moves.
  void enter(int thread);

 private:
  /// Moves the calling thread off every processor of the team's. It may then go wherever it might before.
  void move() const;

  [[maybe_unused]] const int threads_;
  std::unique_ptr<std::atomic<int>[]> processors_;  // -1: not seen yet, or the system does not tell
};

}  // namespace cortado
