#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernel.h"
#include "memory.h"

namespace cortado {

struct Job;

/// A device's kernels by name.
class KernelTable {
 public:
  KernelTable(const Kernel* first, int count) : first_(first), count_(count) {}
  /// Some kernels that take the place of those of the same name in another table.
  KernelTable(const Kernel* first, int count, const KernelTable& others)
      : first_(first), count_(count), others_(std::make_shared<const KernelTable>(others)) {}
  const Kernel* find(std::string_view name) const;

 private:
  const Kernel* first_;
  int count_;
  std::shared_ptr<const KernelTable> others_;
};

/// What became of a library that a device may use: its file, its version as its maker numbers it, and why it is not
/// used; empty where it is.
struct LibraryFound {
  std::string name, path, problem;
  int version;
};

/// Something that plans run on: its memory, its kernels, its queue of runs. Callable from any thread.
class Device {
 public:
  virtual ~Device() = default;

  virtual const KernelTable& kernels() const = 0;
  /// Throws Error OUT_OF_MEMORY.
  virtual std::unique_ptr<Memory> allocate(size_t bytes) = 0;
  /// Runs the job's plan after those given before it, brings its results back, and calls `job->done` once, on a thread
  /// of the device's own. Does not throw: what goes wrong is the job's error.
  virtual void submit(std::shared_ptr<Job> job) = 0;
  /// Does all of that but the call on the calling thread, if no job is before it and if that takes no longer than to
  /// hand it over: then true. Does not throw either.
  virtual bool run_here(Job&) { return false; }
  virtual std::vector<LibraryFound> libraries() const { return {}; }
};

}  // namespace cortado
