#pragma once

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "precision.h"
#include "tensor.h"
#include "threads.h"

namespace cortado {

class Device;

/// What a kernel sees of its step while it is prepared: tensors that stay where they are for the life of the plan, and
/// attributes by name. Every attribute of the step must be read, or the plan is refused: drift between an op and its
/// kernel cannot be silent. All members are out of line (see CORTADO_INLINE).
class Prepare {
 public:
  virtual int inputs() const = 0;
  virtual int outputs() const = 0;
  /// An absent tensor where the step has none at this index.
  virtual Tensor in(int index) const = 0;
  virtual Tensor out(int index) const = 0;
  virtual double number(const char* name) = 0;
  virtual int64_t integer(const char* name) = 0;
  /// Copies a list attribute into `values` (at most `capacity` long) and returns its length.
  virtual int list(const char* name, double* values, int capacity) = 0;
  /// Refuses the plan unless `fits`; `rule` completes "expected ...". Tensors of a step that do not agree would take
  /// the kernel beyond them.
  virtual void expect(bool fits, const char* rule) = 0;
  /// Asks for scratch memory, 64-byte aligned, valid during run() only; the plan keeps one block of the largest size
  /// asked.
  virtual void scratch(size_t bytes) = 0;
  /// Size of the team that will run the kernel.
  virtual int threads() const = 0;
  /// What products may round their inputs to.
  virtual Precision precision() const = 0;
  /// What the plan will run on.
  virtual Device& device() const = 0;

 protected:
  ~Prepare() = default;
};

/// What a kernel of the CPU is given each time it runs.
struct Run {
  Threads& threads;
  void* scratch;
};

/// In which order a kernel takes the elements of images: channels first; channels first or last, all images of a step
/// alike; or each image as it is.
enum class Layouts : uint8_t { first, alike, any };

/// An entry of a device's table. A prepared kernel is a trivially copyable struct K with `explicit K(Prepare&)` and
/// `void run(const R&) const`, where R is what the device gives its kernels: the CPU a Run. prepare() makes one in
/// memory that the plan owns.
struct Kernel {
  const char* name;
  size_t bytes;
  void (*prepare)(void* place, Prepare& step);
  void (*run)(const void* prepared, const void* run);
  /// Runs `count` calls that follow each other, in any order; absent where that is nothing else than to run each.
  void (*run_together)(const void* const* prepared, int count, const void* run) = nullptr;
  Layouts layouts = Layouts::first;
};

/// Cold: compiled for size, which takes less time, and a plan prepares a kernel once.
template <class K>
[[gnu::cold]] void prepare_at(void* place, Prepare& step) {
  *static_cast<K*>(place) = K(step);
}

/// The table's entry for the type K, which may say its `kLayouts`. Calls of a K with a `static void run_together(const
/// void* const*, int, const R&)` touch nothing of each other's.
template <class K, class R>
constexpr Kernel make_kernel(const char* name) {
  static_assert(__is_trivially_copyable(K), "a prepared kernel is plain data");
  Kernel kernel{
      name,
      sizeof(K),
      &prepare_at<K>,
      [](const void* prepared, const void* run) { static_cast<const K*>(prepared)->run(*static_cast<const R*>(run)); },
  };
  if constexpr (requires { K::kLayouts; }) kernel.layouts = K::kLayouts;
  if constexpr (requires { &K::run_together; }) {
    kernel.run_together = [](const void* const* prepared, int count, const void* run) {
      K::run_together(prepared, count, *static_cast<const R*>(run));
    };
  }
  return kernel;
}

}  // namespace cortado
