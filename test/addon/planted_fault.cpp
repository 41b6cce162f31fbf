// Part of sanitized builds only. CORTADO_PLANT_FAULT=write|overflow|race makes the addon commit that fault when it is
// loaded, so that a test run under the sanitizer must fail: the proof that it would see such a fault in a kernel.
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>
#include <vector>

namespace {

/// Writes one float past the end of a buffer whose length the compiler cannot know.
void write_past_the_end(const char* text) {
  std::vector<float> values(std::string_view(text).size());
  float* data = values.data();
  for (size_t i = 0; i <= values.size(); ++i) data[i] = 1;
  std::printf("%g\n", static_cast<double>(data[0]));
}

void overflow(const char* text) {
  int value = INT_MAX - 1;
  for (size_t i = 0; i < std::string_view(text).size(); ++i) ++value;
  std::printf("%d\n", value);
}

long total = 0;

void add() {
  for (int i = 0; i < 1000; ++i) ++total;
}

/// Two threads add to one number without any order between them.
void race() {
  std::thread one(add), other(add);
  one.join();
  other.join();
  std::printf("%ld\n", total);
}

[[maybe_unused]] const bool planted = [] {
  const char* wish = std::getenv("CORTADO_PLANT_FAULT");
  if (wish == nullptr) return false;
  const std::string_view fault = wish;
  if (fault == "write") write_past_the_end(wish);
  if (fault == "overflow") overflow(wish);
  if (fault == "race") race();
  return true;
}();

}  // namespace
