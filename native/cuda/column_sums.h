// Sums of the columns of a matrix: of biases' gradients, where channels are last. As in sums.h their bits depend on the
// extents alone. A thread reads 16 bytes of a row at a time where rows have them whole, and as many threads as fit read
// the rows below: what is in flight is what memory needs to be busy.
#pragma once

#include "packs.h"
#include "sums.h"

namespace cortado::cuda {

/// How a matrix is cut: into tiles of columns, and these into slices of rows, each a block's. The threads of a block
/// stand `width` beside each other, each of them before `lanes` columns.
struct ColumnCut {
  int64_t columns, rows, tiles, slices;
  int lanes, width;

  ColumnCut(int64_t columns, int64_t rows, int most_lanes) : columns(columns), rows(rows) {
    // A block's rounds, so that what it does at its end is little beside them; and of few rows narrow tiles, so that
    // there are many.
    constexpr int64_t kRounds = 8, kBlocks = 512, kFewRows = 4096;
    lanes = columns % most_lanes == 0 ? most_lanes : 1;
    const int64_t all = columns / lanes, most = rows < kFewRows ? 8 : 32;
    tiles = (all + most - 1) / most;
    width = static_cast<int>((all + tiles - 1) / tiles);
    const int64_t wanted = rows / (kRounds * height()), room = kBlocks / tiles;
    slices = wanted < room ? wanted : room;
    if (slices < 1) slices = 1;
  }
  /// Rows of threads.
  __host__ __device__ int height() const { return kBlock / width; }
  size_t bytes() const { return static_cast<size_t>(columns * slices) * sizeof(double); }
};

/// The cut of a matrix of numbers of that type.
inline ColumnCut column_cut(DType type, int64_t columns, int64_t rows) {
  return {columns, rows, type == DType::f32 ? Pack<float>::kSize : Pack<Brain>::kSize};
}

namespace detail {

template <class T, int N>
struct SumColumnSlices {
  /// Rows that a thread asks for before it adds the first one up.
  static constexpr int kAhead = 4;
  const T* x;
  ColumnCut cut;
  double* parts;  // (columns, slices)
  float* to;

  __device__ void operator()(int64_t block) const {
    __shared__ double all[kBlock * N];
    const int64_t tile = block / cut.slices, slice = block % cut.slices;
    const int64_t column = (tile * cut.width + threadIdx.x % cut.width) * N, end = cut.rows * (slice + 1) / cut.slices;
    const int height = cut.height(), first = static_cast<int>(threadIdx.x) / cut.width;
    double sums[N] = {};
    if (first < height && column < cut.columns) {
      for (int64_t row = cut.rows * slice / cut.slices + first; row < end; row += kAhead * height) {
        // Rows beyond the end are this one again, and 0: no load waits for a branch.
        Lanes<N> lanes[kAhead];
        for (int k = 0; k < kAhead; ++k) {
          const int64_t at = row + k * height;
          lanes[k] = load_lanes<N>(x + (at < end ? at : row) * cut.columns + column);
        }
        for (int k = 0; k < kAhead; ++k) {
          const bool there = row + k * height < end;
          for (int j = 0; j < N; ++j) sums[j] += static_cast<double>(there ? lanes[k].v[j] : 0.0f);
        }
      }
    }
    for (int j = 0; j < N; ++j) all[threadIdx.x * N + j] = sums[j];
    __syncthreads();
    // A column for each thread, of those that stand below each other.
    const int pitch = cut.width * N, own = static_cast<int>(threadIdx.x);
    if (own >= pitch || tile * pitch + own >= cut.columns) return;
    double sum = all[own];
    for (int row = 1; row < height; ++row) sum += all[row * pitch + own];
    if (cut.slices == 1) {
      to[tile * pitch + own] = static_cast<float>(sum);
    } else {
      parts[(tile * pitch + own) * cut.slices + slice] = sum;
    }
  }
};

struct StoreColumn {
  float* to;
  __device__ void done(int64_t column, const double (&sums)[1]) const { to[column] = static_cast<float>(sums[0]); }
};

}  // namespace detail

/// to (columns) = the sums of the columns of x (rows, columns), cut as column_cut() does. `parts` has the cut's bytes.
template <class T>
void sum_columns(const Launch& launch, const ColumnCut& cut, void* parts, const T* x, float* to) {
  auto* const sums = static_cast<double*>(parts);
  const int64_t blocks = cut.tiles * cut.slices;
  if (cut.lanes == 1) {
    for_blocks(launch, blocks, detail::SumColumnSlices<T, 1>{x, cut, sums, to});
  } else {
    for_blocks(launch, blocks, detail::SumColumnSlices<T, Pack<T>::kSize>{x, cut, sums, to});
  }
  if (cut.slices > 1) detail::add_slices<1>(launch, cut.columns, cut.slices, sums, detail::StoreColumn{to});
}

}  // namespace cortado::cuda
