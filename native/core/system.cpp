#include "system.h"

#include <stdint.h>
#include <stdlib.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>
#if defined(__linux__)
#include <sched.h>
#include <sys/mman.h>
#elif defined(_WIN32)
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <malloc.h>
#include <windows.h>
#endif

namespace cortado {

namespace {

constexpr size_t kPage = 4096, kLargePage = size_t{2} << 20;

int logical_processors() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

}  // namespace

#if defined(__linux__)

namespace {

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

int usable_processors() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : logical_processors();
}

}  // namespace

size_t available_memory() { return std::min(available_in_machine(), available_in_group()); }

int physical_cores() {
  std::set<std::string> cores;  // processors of one core share this list
  for (int i = 0; i < logical_processors(); ++i) {
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(i) + "/topology/thread_siblings_list");
    std::string siblings;
    if (file >> siblings) cores.insert(siblings);
  }
  const int processors = usable_processors();
  return cores.empty() ? processors : std::min(processors, static_cast<int>(cores.size()));
}

#elif defined(_WIN32)

size_t available_memory() {
  MEMORYSTATUSEX status = {};
  status.dwLength = sizeof status;
  return GlobalMemoryStatusEx(&status) ? static_cast<size_t>(status.ullAvailPhys) : SIZE_MAX;
}

/// learn.microsoft.com/windows/win32/api/sysinfoapi/nf-sysinfoapi-getlogicalprocessorinformationex: an entry a core.
int physical_cores() {
  DWORD bytes = 0;
  GetLogicalProcessorInformationEx(RelationProcessorCore, nullptr, &bytes);
  std::vector<char> entries(bytes);
  const auto at = [&](DWORD offset) {
    return reinterpret_cast<SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX*>(entries.data() + offset);
  };
  if (bytes == 0 || !GetLogicalProcessorInformationEx(RelationProcessorCore, at(0), &bytes))
    return logical_processors();
  int cores = 0;
  for (DWORD offset = 0; offset < bytes; offset += at(offset)->Size) ++cores;
  return std::clamp(cores, 1, logical_processors());
}

#else

size_t available_memory() { return SIZE_MAX; }
int physical_cores() { return logical_processors(); }

#endif

std::string variable(const char* name) {
#if defined(_WIN32)
  // The C library's copy is of the time when it was loaded.
  std::string value(GetEnvironmentVariableA(name, nullptr, 0), '\0');
  value.resize(GetEnvironmentVariableA(name, value.data(), static_cast<DWORD>(value.size())));
  return value;
#else
  const char* value = getenv(name);
  return value ? value : "";
#endif
}

void* take_pages(size_t bytes) {
  const size_t page = bytes >= kLargePage ? kLargePage : kPage;
  if (bytes > SIZE_MAX - page) return nullptr;
  const size_t whole = std::max(page, (bytes + page - 1) / page * page);
#if defined(_WIN32)
  return _aligned_malloc(whole, page);
#else
  void* pages = nullptr;
  if (posix_memalign(&pages, page, whole) != 0) return nullptr;
#if defined(__linux__)
  if (page == kLargePage) madvise(pages, whole, MADV_HUGEPAGE);  // a hint only
#endif
  return pages;
#endif
}

void give_back(void* pages) {
#if defined(_WIN32)
  _aligned_free(pages);
#else
  free(pages);
#endif
}

}  // namespace cortado
