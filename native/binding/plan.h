#pragma once

#include <napi.h>

#include <memory>
#include <optional>

#include "../core/job.h"

namespace cortado::binding {

/// new Plan({ memories, tensors, steps, threads, commit?, guards? }) · prepare() → promise · run(outputs, profile,
/// copies?) → answer or its promise · cancel() · scratchBytes · dispose(). What the constructor has read, prepare()
/// prepares, once, on a thread of Node's pool; only then are there runs, each of which makes its copies first. Their
/// answer is { results: Float32Array[], milliseconds?: Float64Array }, or null when the run was cancelled; it is no
/// promise where the device has run it at once. cancel() means the latest run.
class PlanObject : public Napi::ObjectWrap<PlanObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit PlanObject(const Napi::CallbackInfo& info);

  /// The plan behind a JavaScript object, for the methods and accessors that node-addon-api calls. Throws USAGE when it
  /// is something else.
  static PlanObject* Unwrap(Napi::Object object);
  void Finalize(Napi::BasicEnv env) override;

 private:
  class Preparation;

  Napi::Value prepare(const Napi::CallbackInfo& info);
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value cancel(const Napi::CallbackInfo& info);
  Napi::Value scratch_bytes(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<Device> device_;
  std::optional<PlanSpec> spec_;      // until it is prepared
  std::shared_ptr<const Plan> plan_;  // from then on
  bool disposed_ = false;
  std::weak_ptr<Job> job_;
};

}  // namespace cortado::binding
