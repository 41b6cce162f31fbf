#include "runs.h"

#include <string.h>

#include "guard.h"

namespace cortado::binding {

namespace {

/// Bytes from which a foreign buffer, with its finalizer, is cheaper than a copy.
constexpr size_t kWorthOwning = 32768;

Napi::Value to_array(Napi::Env env, Result& result) {
  const size_t bytes = result.count * sizeof(float);
  if (bytes >= kWorthOwning) {
    napi_value buffer = nullptr;
    const auto free_floats = [](napi_env, void* floats, void*) { delete[] static_cast<float*>(floats); };
    if (napi_create_external_arraybuffer(env, result.data.get(), bytes, free_floats, nullptr, &buffer) == napi_ok) {
      result.data.release();
      return Napi::Float32Array::New(env, result.count, Napi::ArrayBuffer(env, buffer), 0);
    }
    // Electron keeps its heap in a cage and refuses foreign buffers.
  }
  Napi::Float32Array copy = Napi::Float32Array::New(env, result.count);
  if (bytes > 0) memcpy(copy.Data(), result.data.get(), bytes);
  return copy;
}

}  // namespace

Napi::Value answer_of(Napi::Env env, Job& job) {
  if (job.error) throw make_error(env, job.error->code, job.error->message);
  if (!job.finished) return env.Null();
  std::vector<Result>& results = job.results;
  Napi::Object answer = Napi::Object::New(env);
  Napi::Array arrays = Napi::Array::New(env, results.size());
  for (size_t i = 0; i < results.size(); ++i) arrays.Set(static_cast<uint32_t>(i), to_array(env, results[i]));
  answer.Set("results", arrays);
  if (job.profile) {
    Napi::Float64Array times = Napi::Float64Array::New(env, job.milliseconds.size());
    std::copy(job.milliseconds.begin(), job.milliseconds.end(), times.Data());
    answer.Set("milliseconds", times);
  }
  return answer;
}

void Call::settle(Napi::Env env) {
  Napi::Value answer;
  try {
    answer = answer_of(env, *job);
  } catch (const Napi::Error& error) {
    return deferred.Reject(error.Value());
  }
  deferred.Resolve(answer);
}

Runs::Runs(Napi::Env env) : env_(env) {
  const Napi::String name = Napi::String::New(env, "cortado.run");
  if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this, arrive, &arrivals_) !=
      napi_ok) {
    fail("INTERNAL", "addon: this environment gives no thread-safe function");
  }
  napi_unref_threadsafe_function(env, arrivals_);
  // Hooks run last in, first out: this one before the thread-safe function's own.
  napi_add_env_cleanup_hook(env, close, this);
}

Runs::~Runs() { close(this); }

void Runs::close(void* self) {
  Runs& runs = *static_cast<Runs*>(self);
  std::unique_lock lock(runs.mutex_);
  if (runs.closed_) return;
  runs.closed_ = true;
  for (const auto& call : runs.running_) call->job->cancelled = true;
  runs.idle_.wait(lock, [&runs] { return runs.running_.empty(); });
  lock.unlock();
  runs.devices_.clear();
  napi_release_threadsafe_function(runs.arrivals_, napi_tsfn_abort);
}

Napi::Promise Runs::start(std::shared_ptr<Job> job, const std::shared_ptr<Device>& device) {
  const auto call = std::make_shared<Call>(job, Napi::Promise::Deferred::New(env_));
  {
    const std::lock_guard lock(mutex_);
    if (closed_) fail("DISPOSED", "run: this environment is ending");
    running_.insert(call);
  }
  devices_.insert(device);
  if (unsettled_++ == 0) napi_ref_threadsafe_function(env_, arrivals_);
  job->done = [this, call = std::weak_ptr(call)] { finished(call.lock()); };
  device->submit(std::move(job));
  return call->deferred.Promise();
}

/// On a thread of the device's.
void Runs::finished(std::shared_ptr<Call> call) {
  const std::lock_guard lock(mutex_);
  running_.erase(call);
  if (!closed_) {
    auto parcel = std::make_unique<std::shared_ptr<Call>>(std::move(call));
    if (napi_call_threadsafe_function(arrivals_, parcel.get(), napi_tsfn_nonblocking) == napi_ok) parcel.release();
  }
  idle_.notify_all();
}

/// On the JavaScript thread; without an environment when it is ending.
void Runs::arrive(napi_env env, napi_value, void* self, void* data) {
  const std::unique_ptr<std::shared_ptr<Call>> call(static_cast<std::shared_ptr<Call>*>(data));
  if (!env) return;
  const Napi::HandleScope scope(env);
  Runs& runs = *static_cast<Runs*>(self);
  if (--runs.unsettled_ == 0) napi_unref_threadsafe_function(env, runs.arrivals_);
  try {
    (*call)->settle(env);
  } catch (const Napi::Error&) {
    // The environment is being terminated: it runs no JavaScript any more, and nobody waits for the promise.
  }
}

}  // namespace cortado::binding
