#pragma once

#include <stddef.h>
#include <stdint.h>

#include <memory>

namespace cortado {

/// Bytes that this process can still get: of the machine and of its control group, whichever is less.
size_t available_memory();

/// One block of a device's memory, page aligned. Plans hold a share of it, so it outlives every run that uses it.
class Memory {
 public:
  /// Throws Error OUT_OF_MEMORY when the machine cannot give that much: it would promise it, and kill the process
  /// later.
  explicit Memory(size_t bytes);
  size_t bytes() const { return bytes_; }
  uint8_t* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(uint8_t* data) const;
  };
  size_t bytes_;
  std::unique_ptr<uint8_t, Free> data_;
};

}  // namespace cortado
