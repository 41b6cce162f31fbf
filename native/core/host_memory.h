#pragma once

#include "memory.h"

namespace cortado {

/// A block of the host's own memory, page aligned.
class HostMemory final : public Memory {
 public:
  /// Throws Error OUT_OF_MEMORY when the machine cannot give that much: it would promise it, and kill the process
  /// later.
  explicit HostMemory(size_t bytes);
  ~HostMemory() override;

  void write(size_t offset, size_t bytes, const Fill& fill) override;
};

}  // namespace cortado
