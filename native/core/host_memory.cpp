#include "host_memory.h"

#include "error.h"
#include "system.h"
#include "threads.h"

namespace cortado {

namespace {

uint8_t* allocate(size_t bytes) {
  const size_t available = available_memory();
  if (bytes > available)
    fail("OUT_OF_MEMORY", "memory: expected at most the %zu bytes available, got %zu", available, bytes);
  void* pages = take_pages(bytes);
  if (!pages) fail("OUT_OF_MEMORY", "memory: the system refused a block of %zu bytes", bytes);
  return static_cast<uint8_t*>(pages);
}

/// The caller.
class Alone final : public Threads {
 public:
  int count() const override { return 1; }
  void run(Work work, void* context) override { work(context, 0); }
};

}  // namespace

HostMemory::HostMemory(size_t bytes) : Memory(bytes, allocate(bytes)) {}

HostMemory::~HostMemory() { give_back(data()); }

void HostMemory::write(size_t offset, size_t, const Fill& fill) {
  Alone alone;
  fill(data() + offset, alone);
}

}  // namespace cortado
