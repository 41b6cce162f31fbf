#include "runs.h"

#include <string.h>

#include "../core/memory.h"
#include "../cpu/device.h"
#include "guard.h"

namespace cortado::binding {

namespace {

Result copy_out(const Tensor& tensor, Threads& threads) {
  const auto count = static_cast<size_t>(tensor.size());
  if (count * sizeof(float) > available_memory())
    fail("OUT_OF_MEMORY", "run: no memory for a result of %zu numbers", count);
  Result result{std::make_unique_for_overwrite<float[]>(count), count};
  float* to = result.data.get();
  if (tensor.dtype == DType::f32) {
    for_slices(threads, tensor.size(), 1 << 18, [&](int64_t begin, int64_t end) {
      memcpy(to + begin, tensor.f32() + begin, static_cast<size_t>(end - begin) * sizeof(float));
    });
  } else {
    for (size_t i = 0; i < count; ++i)
      to[i] = static_cast<float>(tensor.dtype == DType::i32 ? tensor.i32()[i] : tensor.u8()[i]);
  }
  return result;
}

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

void Job::execute(const std::function<Threads&()>& team) {
  try {
    Threads& threads = team();
    finished = plan->run(threads, cancelled, profile ? &milliseconds : nullptr);
    if (!finished) return;
    for (const int index : outputs) results.push_back(copy_out(plan->tensor(index), threads));
  } catch (const Error& thrown) {
    error = std::make_unique<Error>(thrown);
  } catch (const std::bad_alloc&) {
    error = std::make_unique<Error>(Error{"OUT_OF_MEMORY", "run: the system refused the memory for a result"});
  } catch (const std::exception& thrown) {
    error = std::make_unique<Error>(Error{"INTERNAL", ""});
    snprintf(error->message, sizeof error->message, "run: %s", thrown.what());
  }
}

void Job::settle(Napi::Env env) {
  if (error) return deferred.Reject(make_error(env, error->code, error->message).Value());
  if (!finished) return deferred.Resolve(env.Null());
  Napi::Object answer = Napi::Object::New(env);
  Napi::Array arrays = Napi::Array::New(env, results.size());
  for (size_t i = 0; i < results.size(); ++i) arrays.Set(static_cast<uint32_t>(i), to_array(env, results[i]));
  answer.Set("results", arrays);
  if (profile) {
    Napi::Float64Array times = Napi::Float64Array::New(env, milliseconds.size());
    std::copy(milliseconds.begin(), milliseconds.end(), times.Data());
    answer.Set("milliseconds", times);
  }
  deferred.Resolve(answer);
}

std::shared_ptr<CpuRuntime> CpuRuntime::shared() {
  static std::mutex mutex;
  static std::weak_ptr<CpuRuntime> registry;
  const std::lock_guard lock(mutex);
  std::shared_ptr<CpuRuntime> runtime = registry.lock();
  if (!runtime) registry = runtime = std::make_shared<CpuRuntime>();
  return runtime;
}

void CpuRuntime::push(std::shared_ptr<Job> job, std::function<void(std::shared_ptr<Job>)> done) {
  executor_.push([this, job = std::move(job), done = std::move(done)]() mutable {
    job->execute([&]() -> Threads& { return team(job->plan->threads()); });
    job->plan.reset();  // a disposed model's memory goes now, not when the promise settles
    done(std::move(job));
  });
}

Threads& CpuRuntime::team(int threads) {
  std::unique_ptr<Threads>& team = teams_[threads];
  if (!team) team = cpu::make_team(threads);
  return *team;
}

Runs::Runs(Napi::Env env) : env_(env), runtime_(CpuRuntime::shared()) {
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
  for (const auto& job : runs.running_) job->cancelled = true;
  runs.idle_.wait(lock, [&runs] { return runs.running_.empty(); });
  lock.unlock();
  runs.runtime_.reset();
  napi_release_threadsafe_function(runs.arrivals_, napi_tsfn_abort);
}

void Runs::start(std::shared_ptr<Job> job) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) fail("DISPOSED", "run: this environment is ending");
    running_.insert(job);
  }
  if (unsettled_++ == 0) napi_ref_threadsafe_function(env_, arrivals_);
  runtime_->push(std::move(job), [this](std::shared_ptr<Job> done) { finished(std::move(done)); });
}

/// On the executor's thread.
void Runs::finished(std::shared_ptr<Job> job) {
  const std::lock_guard lock(mutex_);
  running_.erase(job);
  if (!closed_) {
    auto parcel = std::make_unique<std::shared_ptr<Job>>(std::move(job));
    if (napi_call_threadsafe_function(arrivals_, parcel.get(), napi_tsfn_nonblocking) == napi_ok) parcel.release();
  }
  idle_.notify_all();
}

/// On the JavaScript thread; without an environment when it is ending.
void Runs::arrive(napi_env env, napi_value, void* self, void* data) {
  const std::unique_ptr<std::shared_ptr<Job>> job(static_cast<std::shared_ptr<Job>*>(data));
  if (!env) return;
  const Napi::HandleScope scope(env);
  Runs& runs = *static_cast<Runs*>(self);
  if (--runs.unsettled_ == 0) napi_unref_threadsafe_function(env, runs.arrivals_);
  try {
    (*job)->settle(env);
  } catch (const Napi::Error&) {
    // The environment is being terminated: it runs no JavaScript any more, and nobody waits for the promise.
  }
}

}  // namespace cortado::binding
