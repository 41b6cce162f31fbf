// Where an element of a tensor lies. I, the type of an index, is int32_t where the tensor is small enough (with_index).
#pragma once

#include <cuda_runtime.h>
#include <stdint.h>

namespace cortado::cuda {

/// Divides what is not negative by a number of at least 1 that is known when a kernel is started.
template <class I>
class Divisor {
 public:
  explicit Divisor(int64_t d) : d_(static_cast<I>(d)) {}
  __device__ I operator()(I n) const { return n / d_; }

 private:
  I d_;
};

/// By a multiplication: with s such that 2^(s - 1) < d <= 2^s and m = ceil(2^(31 + s) / d), which has 32 bits,
/// floor(n / d) is floor(n m / 2^(31 + s)) for every n below 2^31 (Granlund and Montgomery 1994, theorem 4.2).
template <>
class Divisor<int32_t> {
 public:
  explicit Divisor(int64_t d) {
    const auto divisor = static_cast<uint64_t>(d);
    while (uint64_t{1} << (shift_ - 31) < divisor) ++shift_;
    multiplier_ = static_cast<uint32_t>(((uint64_t{1} << shift_) + divisor - 1) / divisor);
  }
  __device__ int32_t operator()(int32_t n) const {
    return static_cast<int32_t>(static_cast<uint64_t>(static_cast<uint32_t>(n)) * multiplier_ >> shift_);
  }

 private:
  uint32_t multiplier_ = 0;
  int shift_ = 31;
};

/// An element of planes of rows, columns and channels.
template <class I>
struct Cell {
  I plane, row, column, channel;
};

/// Planes whose channels lie side by side, each of them in packs of some or alone; where channels are first they are
/// planes themselves, of one channel.
template <class I>
struct Grid {
  I rows, columns, channels;

  Grid(int64_t rows, int64_t columns, int64_t channels = 1)
      : rows(static_cast<I>(rows)),
        columns(static_cast<I>(columns)),
        channels(static_cast<I>(channels)),
        by_rows_(rows),
        by_columns_(columns),
        by_channels_(channels) {}
  __device__ Cell<I> cell(I i) const {
    const I pixel = by_channels_(i), line = by_columns_(pixel), plane = by_rows_(line);
    return {plane, line - plane * rows, pixel - line * columns, i - pixel * channels};
  }
  __device__ I at(const Cell<I>& cell) const {
    return ((cell.plane * rows + cell.row) * columns + cell.column) * channels + cell.channel;
  }

 private:
  Divisor<I> by_rows_, by_columns_, by_channels_;
};

}  // namespace cortado::cuda
