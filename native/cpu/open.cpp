#include <string.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>

#include "../core/executor.h"
#include "../core/host_memory.h"
#include "../core/job.h"
#include "device.h"

namespace cortado::cpu {

namespace {

void copy_in(const Copy& copy, Threads& threads) {
  const uint8_t* from = copy.from->data() + copy.from_offset;
  uint8_t* to = copy.to->data() + copy.to_offset;
  for_slices(threads, static_cast<int64_t>(copy.bytes), 1 << 20,
             [&](int64_t begin, int64_t end) { memcpy(to + begin, from + begin, static_cast<size_t>(end - begin)); });
}

Result copy_out(const Tensor& tensor, Threads& threads) {
  Result result = Result::room(static_cast<size_t>(tensor.size()));
  float* to = result.data.get();
  if (tensor.dtype == DType::f32) {
    for_slices(threads, tensor.size(), 1 << 18, [&](int64_t begin, int64_t end) {
      memcpy(to + begin, tensor.f32() + begin, static_cast<size_t>(end - begin) * sizeof(float));
    });
  } else {
    for (size_t i = 0; i < result.count; ++i)
      to[i] = static_cast<float>(tensor.dtype == DType::i32 ? tensor.i32()[i] : tensor.u8()[i]);
  }
  return result;
}

bool guarded(const Plan& plan) {
  return std::any_of(plan.guards().begin(), plan.guards().end(), [](const int32_t* flag) { return *flag != 0; });
}

/// Runs every step in order. Stops between steps before the commit once the job is cancelled, and returns false. Ends
/// at the commit when a guard's flag is raised, and returns true: the flags are for the caller to read.
bool run_steps(Job& job, Threads& threads) {
  using Clock = std::chrono::steady_clock;
  const Plan& plan = *job.plan;
  const Run run{threads, plan.scratch()};
  for (int i = 0; const PreparedStep& step : plan.steps()) {
    if (i <= plan.commit() && job.cancelled.load(std::memory_order_relaxed)) return false;
    if (i++ == plan.commit() && guarded(plan)) return true;
    const auto start = job.profile ? Clock::now() : Clock::time_point{};
    step.run(&run);
    if (job.profile)
      job.milliseconds.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  return true;
}

class CpuDevice final : public Device {
 public:
  const KernelTable& kernels() const override { return cpu::kernels(); }

  std::unique_ptr<Memory> allocate(size_t bytes) override { return std::make_unique<HostMemory>(bytes); }

  void submit(std::shared_ptr<Job> job) override {
    ++queued_;
    executor_.push([this, job = std::move(job)] {
      {
        const std::lock_guard turn(turn_);
        carry_out(*job);
      }
      job->done();
      --queued_;  // whoever runs here from now on answers after it
    });
  }

  bool run_here(Job& job) override {
    const std::unique_lock turn(turn_, std::try_to_lock);
    if (!turn || queued_ > 0 || !job.plan->recording()) return false;
    if (static_cast<const Duration&>(*job.plan->recording()).least >= kHandingOver) return false;
    carry_out(job);
    return true;
  }

 private:
  using Clock = std::chrono::steady_clock;

  /// What it takes to hand a run over and to be woken by its end; a good part of it is the calling thread's own time.
  static constexpr std::chrono::microseconds kHandingOver{100};

  /// How long a plan's runs take where no other program interrupts them.
  struct Duration final : Recording {
    Clock::duration least = Clock::duration::max();
  };

  /// By whose turn it is.
  void carry_out(Job& job) {
    const Clock::time_point start = Clock::now();
    job.attempt([&] {
      Threads& threads = team(job.plan->threads());
      for (const Copy& copy : job.copies) copy_in(copy, threads);
      job.finished = run_steps(job, threads);
      if (!job.finished) return;
      for (const int index : job.outputs) job.results.push_back(copy_out(job.plan->tensor(index), threads));
      if (tells_of_others(*job.plan)) note(*job.plan, Clock::now() - start);
    });
    job.release();
  }

  /// Not where a guard has ended the run, nor where kernels of other addons may take any time.
  static bool tells_of_others(const Plan& plan) {
    const std::vector<PreparedStep>& steps = plan.steps();
    const bool ours = std::none_of(steps.begin(), steps.end(), [](auto& step) { return step.kernel == &kForeign; });
    return ours && (plan.commit() >= static_cast<int>(steps.size()) || !guarded(plan));
  }

  static void note(const Plan& plan, Clock::duration time) {
    std::unique_ptr<Recording>& recording = plan.recording();
    if (!recording) recording = std::make_unique<Duration>();
    auto& [least] = static_cast<Duration&>(*recording);
    least = std::min(least, time);
  }

  Threads& team(int threads) {
    std::unique_ptr<Threads>& team = teams_[threads];
    if (!team) team = make_team(threads);
    return *team;
  }

  std::mutex turn_;  // one run at a time: each may use the whole machine
  std::atomic<int> queued_ = 0;
  std::map<int, std::unique_ptr<Threads>> teams_;
  Executor executor_;  // last: its thread uses the others
};

}  // namespace

std::shared_ptr<Device> open() {
  static std::mutex mutex;
  static std::weak_ptr<Device> registry;
  const std::lock_guard lock(mutex);
  std::shared_ptr<Device> device = registry.lock();
  if (!device) registry = device = std::make_shared<CpuDevice>();
  return device;
}

}  // namespace cortado::cpu
