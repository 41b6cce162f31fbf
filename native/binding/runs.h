#pragma once

#include <napi.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "../core/error.h"
#include "../core/executor.h"
#include "../core/plan.h"

namespace cortado::binding {

/// Floats on their way out: JavaScript takes them over without another copy.
struct Result {
  std::unique_ptr<float[]> data;
  size_t count = 0;
};

/// One run of a plan, from the call to its promise.
struct Job {
  std::shared_ptr<const Plan> plan;
  std::vector<int> outputs;
  bool profile = false;
  std::atomic<bool> cancelled{false};

  bool finished = false;
  std::unique_ptr<Error> error;
  std::vector<Result> results;
  std::vector<double> milliseconds;
  Napi::Promise::Deferred deferred;

  explicit Job(Napi::Env env) : deferred(env) {}
  /// `team` gives the threads to run on, and may throw.
  void execute(const std::function<Threads&()>& team);
  void settle(Napi::Env env);
};

/// The machine's cores: one executor and the teams it uses, shared by every environment (main thread, workers) that has
/// the addon loaded and gone with the last of them, so that no thread outlives the code it runs.
class CpuRuntime {
 public:
  static std::shared_ptr<CpuRuntime> shared();
  void push(std::shared_ptr<Job> job, std::function<void(std::shared_ptr<Job>)> done);

 private:
  Threads& team(int threads);
  std::map<int, std::unique_ptr<Threads>> teams_;
  Executor executor_;  // last: its thread uses the teams
};

/// The runs of one environment. Its event loop stays alive while some are on their way; when the environment ends, runs
/// are cancelled and waited for.
class Runs {
 public:
  explicit Runs(Napi::Env env);
  ~Runs();
  void start(std::shared_ptr<Job> job);

 private:
  static void arrive(napi_env env, napi_value, void* self, void* data);
  static void close(void* self);
  void finished(std::shared_ptr<Job> job);

  napi_env env_;
  std::shared_ptr<CpuRuntime> runtime_;
  napi_threadsafe_function arrivals_ = nullptr;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::set<std::shared_ptr<Job>> running_;  // until the executor is through with it
  size_t unsettled_ = 0;                    // until its promise is settled; JavaScript thread only
  bool closed_ = false;
};

}  // namespace cortado::binding
