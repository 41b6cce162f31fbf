// How a plan is chosen among those that a library offers.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../../core/error.h"
#include "plan_store.h"
#include "stopwatch.h"

namespace cortado::cuda {

/// The fastest of some plans, by its number, and its time. `bytes`: of the buffers that `run(plan, watch, stream)`
/// works in. Nothing where there is no memory for them, or where none runs.
template <class Plan, class Run>
std::optional<std::pair<size_t, float>> fastest(const std::vector<Plan>& plans, const std::vector<size_t>& bytes,
                                                const Run& run) {
  std::optional<std::pair<size_t, float>> best;
  try {
    const Stopwatch watch(bytes);
    for (size_t i = 0; i < plans.size(); ++i) {
      const auto time = watch.time([&](cudaStream_t stream) { run(plans[i], watch, stream); });
      if (time && (!best || *time < best->second)) best = {i, *time};
    }
  } catch (const Error& error) {
    if (std::string(error.code) != "OUT_OF_MEMORY") throw;
  }
  return best;
}

/// A plan where there are two: our own kernel, which is there without a library, or the library's.
struct Side {
  bool library;

  std::string describe() const { return library ? "library" : "own"; }
  static std::optional<Side> restore(const std::string& text) {
    for (const Side side : {Side{false}, Side{true}})
      if (side.describe() == text) return side;
    return std::nullopt;
  }
};

/// The plan that is kept under a key, or the fastest of those that the library has, which from then on is kept: clocks
/// do not agree twice, and other plans may give other bits. Where nothing is kept, it is the library's first: the same
/// in every process. Nothing where it has none.
///   restore(description) → a plan or nothing;  ask() → plans, best first;  time(plans) → what fastest() gives
template <class Plan, class Restore, class Ask, class Time>
std::optional<Plan> search(const PlanStore& store, const std::string& key, const Restore& restore, const Ask& ask,
                           const Time& time) {
  if (const auto kept = store.load(key)) {
    if (std::optional<Plan> plan = restore(kept->description)) return plan;
  }
  std::vector<Plan> plans = ask();
  if (plans.empty()) return std::nullopt;
  if (store.keeps()) {
    store.forget(key);  // what could not be read
    if (const auto best = time(plans)) {
      const Choice choice{best->second, plans[best->first].describe()};
      const auto kept = store.keep(key, choice);
      if (kept == choice) return std::move(plans[best->first]);
      // Another process was first.
      if (kept) {
        if (std::optional<Plan> plan = restore(kept->description)) return plan;
      }
    }
  }
  return std::move(plans.front());
}

}  // namespace cortado::cuda
