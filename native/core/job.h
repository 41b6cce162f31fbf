#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "error.h"
#include "plan.h"

namespace cortado {

/// Floats on their way out: JavaScript takes them over without another copy.
struct Result {
  std::unique_ptr<float[]> data;
  size_t count = 0;

  /// Room for that many. Throws Error OUT_OF_MEMORY.
  static Result room(size_t count);
};

/// Bytes that a run brings from one memory of its device to another before its first step.
struct Copy {
  std::shared_ptr<const Memory> from, to;
  size_t from_offset, to_offset, bytes;
};

/// One run of a plan, from the call to its answer.
struct Job {
  std::shared_ptr<const Plan> plan;
  std::vector<Copy> copies;
  std::vector<int> outputs;  // tensors to bring back, as floats
  bool profile = false;
  std::atomic<bool> cancelled{false};

  /// False when the run was cancelled before it changed anything, or failed.
  bool finished = false;
  std::optional<Error> error;
  std::vector<Result> results;
  std::vector<double> milliseconds;  // of every step, where `profile` asks for it

  std::function<void()> done;

  /// Does a part of the job; what it throws becomes the job's error.
  void attempt(const std::function<void()>& work);
  /// Lets go of all memory that the run was made in: a disposed model's goes now, not when the answer arrives.
  void release();
};

}  // namespace cortado
