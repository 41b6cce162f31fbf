// What the simulated libraries of NVIDIA have in common.
#pragma once

#include <stdlib.h>
#include <string.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

namespace cortado::sim {

/// What a call is to answer instead of doing its work, where a test has planted that: CORTADO_SIM_ANSWER=call:number.
/// 0: nothing is planted.
inline int planted(const char* call) {
  const char* wish = getenv("CORTADO_SIM_ANSWER");
  const size_t length = strlen(call);
  return wish && strncmp(wish, call, length) == 0 && wish[length] == ':' ? atoi(wish + length + 1) : 0;
}

/// Holds a call up until a file is there, where a test has planted that: CORTADO_SIM_WAIT=call:file. False when it did
/// not come within a minute.
inline bool waited(const char* call) {
  const char* wish = getenv("CORTADO_SIM_WAIT");
  const size_t length = strlen(call);
  if (!wish || strncmp(wish, call, length) != 0 || wish[length] != ':') return true;
  const std::filesystem::path file = wish + length + 1;
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!std::filesystem::exists(file)) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

/// How many times longer than others the work of this name takes, where a test has planted that:
/// CORTADO_SIM_SLOW=name.
inline double slowness(const std::string& name) {
  const char* wish = getenv("CORTADO_SIM_SLOW");
  return wish && name == wish ? 1000 : 1;
}

}  // namespace cortado::sim

/// A function of a simulated library, as dlsym() finds it.
#define CORTADO_SIMULATED extern "C" __attribute__((visibility("default")))

/// Returns what was planted for the function that this stands in.
#define CORTADO_ANSWER_PLANTED(Status) \
  if (const int answer = cortado::sim::planted(__func__)) return static_cast<Status>(answer)
