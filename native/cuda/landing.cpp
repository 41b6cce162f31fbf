#include "landing.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace cortado::cuda {

namespace {

constexpr size_t kLeastBytes = 1 << 16, kMostSpare = 4;

/// For as long a thread that waits stays awake: to be woken by an interrupt takes tens of microseconds, a good part of
/// a short run. Runs of more than this do not feel them.
constexpr std::chrono::milliseconds kPatience{1};

}  // namespace

Landing::Landing(size_t bytes) : results_(bytes), passed_(make_event(cudaEventDisableTiming | cudaEventBlockingSync)) {}

void Landing::mark(cudaStream_t stream) { check(cudaEventRecord(passed_, stream), "cudaEventRecord"); }

void Landing::wait() const {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  do {
    const cudaError_t status = cudaEventQuery(passed_);
    if (status != cudaErrorNotReady) return check(status, "run");
    std::this_thread::yield();
  } while (std::chrono::steady_clock::now() < end);
  check(cudaEventSynchronize(passed_), "run");
}

Landing Landings::take(size_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    for (Landing& landing : spare_) {
      if (landing.bytes() < bytes) continue;
      std::swap(landing, spare_.back());
      Landing taken = std::move(spare_.back());
      spare_.pop_back();
      return taken;
    }
  }
  return Landing(std::max(bytes, kLeastBytes));
}

void Landings::give(Landing landing) {
  const std::lock_guard lock(mutex_);
  if (spare_.size() == kMostSpare) spare_.erase(spare_.begin());
  spare_.push_back(std::move(landing));
}

}  // namespace cortado::cuda
