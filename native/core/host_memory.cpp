#include "host_memory.h"

#include <stdlib.h>

#include <algorithm>
#include <fstream>
#include <string>
#ifdef __linux__
#include <sys/mman.h>
#endif

#include "error.h"
#include "threads.h"

namespace cortado {

namespace {
constexpr size_t kPage = 4096, kLargePage = size_t{2} << 20;

/// The number in a file, or `otherwise` ("max" in a control group's file means no limit).
size_t number_in(const char* path, size_t otherwise) {
  std::ifstream file(path);
  size_t value = 0;
  return file >> value ? value : otherwise;
}

size_t available_in_machine() {
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  for (size_t kilobytes = 0; file >> name >> kilobytes; std::getline(file, unit)) {
    if (name == "MemAvailable:") return kilobytes * 1024;
  }
  return SIZE_MAX;
}

size_t available_in_group() {
  const size_t limit = number_in("/sys/fs/cgroup/memory.max", SIZE_MAX);
  const size_t used = number_in("/sys/fs/cgroup/memory.current", 0);
  return limit == SIZE_MAX ? SIZE_MAX : limit - std::min(limit, used);
}

uint8_t* allocate(size_t bytes) {
  const size_t alignment = bytes >= kLargePage ? kLargePage : kPage;
  if (bytes > SIZE_MAX - alignment)
    fail("OUT_OF_MEMORY", "memory: expected less than %zu bytes, got %zu", SIZE_MAX - alignment, bytes);
  const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  const size_t available = available_memory();
  if (bytes > available)
    fail("OUT_OF_MEMORY", "memory: expected at most the %zu bytes available, got %zu", available, bytes);
  void* data = nullptr;
  if (posix_memalign(&data, alignment, rounded == 0 ? alignment : rounded) != 0) {
    fail("OUT_OF_MEMORY", "memory: the system refused a block of %zu bytes", bytes);
  }
#ifdef __linux__
  // A hint only: large pages spare the convolutions their TLB misses where the system has some.
  if (bytes >= kLargePage) madvise(data, rounded, MADV_HUGEPAGE);
#endif
  return static_cast<uint8_t*>(data);
}

/// The caller.
class Alone final : public Threads {
 public:
  int count() const override { return 1; }
  void run(Work work, void* context) override { work(context, 0); }
};

}  // namespace

size_t available_memory() { return std::min(available_in_machine(), available_in_group()); }

HostMemory::HostMemory(size_t bytes) : Memory(bytes, allocate(bytes)) {}

HostMemory::~HostMemory() { free(data()); }

void HostMemory::write(size_t offset, size_t, const Fill& fill) {
  Alone alone;
  fill(data() + offset, alone);
}

}  // namespace cortado
