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

/// Does what wants memory of the GPU for a while, or leaves it undone where there is none.
template <class F>
void where_room_is(const F& f) {
  try {
    f();
  } catch (const Error& error) {
    if (std::string(error.code) != "OUT_OF_MEMORY") throw;
  }
}

/// The fastest of some plans, by its number, and its time. `bytes`: of the buffers that `run(plan, watch, stream)`
/// works in. Nothing where there is no memory for them, or where none runs.
template <class Plan, class Run>
std::optional<std::pair<size_t, float>> fastest(const std::vector<Plan>& plans, const std::vector<size_t>& bytes,
                                                const Run& run) {
  std::optional<std::pair<size_t, float>> best;
  where_room_is([&] {
    const Stopwatch watch(bytes);
    for (size_t i = 0; i < plans.size(); ++i) {
      const std::optional<float> so_far = best ? std::optional(best->second) : std::nullopt;
      const auto time = watch.time([&](cudaStream_t stream) { run(plans[i], watch, stream); }, so_far);
      if (time && (!best || *time < best->second)) best = {i, *time};
    }
  });
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
std::optional<Found<Plan>> search(const PlanStore& store, const std::string& key, const Restore& restore,
                                  const Ask& ask, const Time& time) {
  const auto restored = [&](const Choice& kept) -> std::optional<Found<Plan>> {
    std::optional<Plan> plan = restore(kept.description);
    if (!plan) return std::nullopt;
    return Found<Plan>{std::move(*plan), kept.milliseconds};
  };
  if (const auto kept = store.load(key)) {
    if (auto found = restored(*kept)) return found;
  }
  std::vector<Plan> plans = ask();
  if (plans.empty()) return std::nullopt;
  if (store.keeps()) {
    store.forget(key);  // what could not be read
    if (const auto best = time(plans)) {
      const Choice choice{best->second, plans[best->first].describe()};
      const auto kept = store.keep(key, choice);
      if (kept == choice) return Found<Plan>{std::move(plans[best->first]), best->second};
      // Another process was first.
      if (kept) {
        if (auto found = restored(*kept)) return found;
      }
    }
  }
  return Found<Plan>{std::move(plans.front()), std::nullopt};
}

}  // namespace cortado::cuda
