#pragma once

#include <napi.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>

#include "../core/job.h"

namespace cortado::binding {

/// What JavaScript is given of a run that has come to its end: null when it was cancelled. Throws Napi::Error for what
/// went wrong.
Napi::Value answer_of(Napi::Env env, Job& job);

/// A run and the promise of its answer.
struct Call {
  std::shared_ptr<Job> job;
  Napi::Promise::Deferred deferred;

  void settle(Napi::Env env);
};

/// The runs of one environment, on any device. Its event loop stays alive while some are on their way; when the
/// environment ends, runs are cancelled and waited for.
class Runs {
 public:
  explicit Runs(Napi::Env env);
  ~Runs();
  /// Has the device run a job. Gives the promise of its answer.
  Napi::Promise start(std::shared_ptr<Job> job, const std::shared_ptr<Device>& device);

 private:
  static void arrive(napi_env env, napi_value, void* self, void* data);
  static void close(void* self);
  void finished(std::shared_ptr<Call> call);

  napi_env env_;
  napi_threadsafe_function arrivals_ = nullptr;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::set<std::shared_ptr<Call>> running_;    // until the device is through with it
  std::set<std::shared_ptr<Device>> devices_;  // all that ran something: none may end on a thread of its own
  size_t unsettled_ = 0;                       // until its promise is settled; JavaScript thread only
  bool closed_ = false;
};

}  // namespace cortado::binding
