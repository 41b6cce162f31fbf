#include "library.h"

#include "../../core/error.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace cortado::cuda {

namespace {

#if defined(_WIN32)
void* load(const char* path) { return static_cast<void*>(LoadLibraryA(path)); }
std::string complaint() { return "error " + std::to_string(GetLastError()); }
void* look_up(void* library, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
}
#else
void* load(const char* path) { return dlopen(path, RTLD_NOW | RTLD_LOCAL); }
std::string complaint() { return dlerror(); }
void* look_up(void* library, const char* name) { return dlsym(library, name); }
#endif

}  // namespace

Library::Library(const std::vector<std::string>& candidates) {
  for (const std::string& candidate : candidates) {
    handle_ = load(candidate.c_str());
    if (handle_) {
      path_ = candidate;
      problem_.clear();
      return;
    }
    // Of a file that is there and does not load there is more to tell than of those that are not there.
    const std::string said = complaint();
    if (problem_.empty() || said.find("No such file") == std::string::npos) problem_ = said;
  }
  if (problem_.empty()) problem_ = "not wanted";
}

void* Library::symbol(const char* name) {
  void* found = look_up(handle_, name);
  if (!found) problem_ = path_ + " has no function " + name;
  return found;
}

void Library::expect(int version, int least) {
  version_ = version;
  if (version >= least) return;
  problem_ = path_ + " is version " + std::to_string(version) + ", " + std::to_string(least) + " or newer is needed";
}

void Library::refused(const std::string& subject, const char* call, int status, const std::string& text, bool memory) {
  fail(memory ? "OUT_OF_MEMORY" : "DEVICE", "%s: %s answered %d (%s)", subject.c_str(), call, status, text.c_str());
}

}  // namespace cortado::cuda
