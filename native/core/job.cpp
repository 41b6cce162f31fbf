#include "job.h"

#include <stdio.h>

#include <exception>
#include <new>

#include "system.h"

namespace cortado {

namespace {
/// Bytes from which it is worth asking the system for what it has: that reads three files, which takes longer than a
/// small net's run.
constexpr size_t kWorthAsking = size_t{1} << 20;
}  // namespace

Result Result::room(size_t count) {
  const size_t bytes = count * sizeof(float);
  if (bytes >= kWorthAsking && bytes > available_memory())
    fail("OUT_OF_MEMORY", "run: no memory for a result of %zu numbers", count);
  return {std::make_unique_for_overwrite<float[]>(count), count};
}

void Job::attempt(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& thrown) {
    error = thrown;
  } catch (const std::bad_alloc&) {
    error = Error{"OUT_OF_MEMORY", "run: the system refused the memory for a result"};
  } catch (const std::exception& thrown) {
    error = Error{"INTERNAL", ""};
    snprintf(error->message, sizeof error->message, "run: %s", thrown.what());
  }
}

void Job::release() {
  plan.reset();
  copies.clear();
}

}  // namespace cortado
