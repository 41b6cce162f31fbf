#include "library.h"

#include <dlfcn.h>

#include "../../core/error.h"

namespace cortado::cuda {

Library::Library(const std::vector<std::string>& candidates) {
  for (const std::string& candidate : candidates) {
    handle_ = dlopen(candidate.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_) {
      path_ = candidate;
      problem_.clear();
      return;
    }
    // Of a file that is there and does not load there is more to tell than of those that are not there.
    const std::string said = dlerror();
    if (problem_.empty() || said.find("No such file") == std::string::npos) problem_ = said;
  }
  if (problem_.empty()) problem_ = "not wanted";
}

void* Library::symbol(const char* name) {
  void* found = dlsym(handle_, name);
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
