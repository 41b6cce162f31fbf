// Libraries of NVIDIA's, found when they are needed: a machine without them computes with our own kernels.
#pragma once

#include <string>
#include <vector>

namespace cortado::cuda {

/// A shared library and its functions. It stays loaded: drivers do not survive being unloaded.
class Library {
 public:
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  /// Where not, `problem` says why, and nothing of it may be called.
  bool usable() const { return problem_.empty(); }
  const std::string& problem() const { return problem_; }
  /// The file, or empty.
  const std::string& path() const { return path_; }
  /// As its maker numbers it; 0: not known.
  int version() const { return version_; }

 protected:
  /// Loads the first of `candidates` that the system's loader takes.
  explicit Library(const std::vector<std::string>& candidates);
  ~Library() = default;

  /// Puts the function of that name at `place`, or says that it lacks.
  template <class Function>
  void find(const char* name, Function*& place) {
    if (usable()) place = reinterpret_cast<Function*>(symbol(name));
  }
  /// Says what is needed where the version is older than `least`.
  void expect(int version, int least);
  /// Throws Error for a call that failed, OUT_OF_MEMORY where it was for want of memory. `subject` was to be computed.
  [[noreturn]] static void refused(const std::string& subject, const char* call, int status, const std::string& text,
                                   bool memory);

 private:
  void* symbol(const char* name);

  void* handle_ = nullptr;
  std::string path_, problem_;
  int version_ = 0;
};

}  // namespace cortado::cuda
