#pragma once

#include <stddef.h>
#include <stdint.h>

#include <functional>

namespace cortado {

struct Normalization;
struct Pixels;
class Threads;

/// One block of a device's memory. Plans hold a share of it, so it outlives every run that uses it.
class Memory {
 public:
  virtual ~Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  size_t bytes() const { return bytes_; }
  /// Where it begins, at a multiple of 256, as the device's kernels see it; only the CPU's is for the host to follow.
  uint8_t* data() const { return data_; }

  /// Writes to a place on the host; a team is lent to it, whose shares must not throw.
  using Fill = std::function<void(uint8_t* to, Threads& team)>;

  /// Has `fill` write `bytes` bytes on the host, which every run that is given afterwards finds at `offset`. What
  /// `fill` throws comes back to the caller; the place then holds anything.
  virtual void write(size_t offset, size_t bytes, const Fill& fill) = 0;
  /// Normalizes pictures to floats, as write() writes. Throws Error USAGE when a window leaves the picture of means.
  virtual void write_pictures(size_t offset, const Normalization& normalization, const Pixels& pixels);

 protected:
  Memory(size_t bytes, uint8_t* data) : bytes_(bytes), data_(data) {}

 private:
  size_t bytes_;
  uint8_t* data_;
};

}  // namespace cortado
