// The convolution from any side where each group is one channel and one filter.
//
// Such a convolution does little with a number that it reads: nine products, say. conv2d_flat.h has the pixels of a run
// in lanes, which suits long rows without a stride. Here channels are: whatever the rows and strides, a tap is a vector
// further on, and the squares that bring kLanes planes there and back cost as much everywhere.
#pragma once

#include "conv2d_lanes.h"
#include "conv2d_planes.h"
#include "conv2d_step.h"
#include "conv2d_weight_rows.h"

namespace cortado::CORTADO_ISA {
namespace {

/// As many outputs as there are sums in registers beside a tap's weights.
constexpr int kLaneOutputs = kRegisters > 16 ? 16 : 8;

/// Rows of outputs, a vector each: sums over taps of weights times source.
struct LaneGrid {
  int64_t height, width;
  const float* weight;       // of the first tap
  int64_t depth;             // taps
  const float* source;       // of the first output
  const int64_t* at;         // distance of each tap from there
  int64_t source_row, step;  // from output to output, of the source
  float* to;
  int64_t to_row, to_step;
};

template <int N, int Step>
CORTADO_INLINE void multiply_outputs(const LaneGrid& grid, const float* source, float* to) {
  Vf sum[N] = {};
  const int64_t step = Step > 0 ? Step * kLanes : grid.step, depth = grid.depth;
  const float* const weight = grid.weight;
  const int64_t* const at = grid.at;
  for (int64_t k = 0; k < depth; ++k) {
    const Vf left = load(weight + k * kLanes);
    const float* from = source + at[k];
#pragma GCC unroll 16
    for (int j = 0; j < N; ++j) sum[j] = fma(left, load(from + j * step), sum[j]);
  }
#pragma GCC unroll 16
  for (int j = 0; j < N; ++j, to += grid.to_step) store(to, sum[j]);
}

/// N outputs at a time, the last of a row beginning early rather than to be fewer.
template <int N, int Step>
__attribute__((noinline)) void multiply_rows(LaneGrid grid) {
  for (int64_t y = 0; y < grid.height; ++y, grid.source += grid.source_row, grid.to += grid.to_row) {
    for (int64_t first = 0; first < grid.width; first += N) {
      const int64_t x = smaller(first, grid.width - N);
      multiply_outputs<N, Step>(grid, grid.source + x * grid.step, grid.to + x * grid.to_step);
    }
  }
}

template <int Step, int N = kLaneOutputs>
CORTADO_INLINE void multiply_grid(int64_t outputs, const LaneGrid& grid) {
  if constexpr (N > 1) {
    if (outputs < N) return multiply_grid<Step, N - 1>(outputs, grid);
  }
  multiply_rows<N, Step>(grid);
}

CORTADO_INLINE void multiply_grid(const LaneGrid& grid) {
  if (grid.height <= 0 || grid.width <= 0) return;
  const int64_t outputs = divide_up(grid.width, divide_up(grid.width, kLaneOutputs));
  if (grid.step == kLanes) return multiply_grid<1>(outputs, grid);
  if (grid.step == 2 * kLanes) return multiply_grid<2>(outputs, grid);
  multiply_grid<0>(outputs, grid);
}

class DepthwiseCorrelation {
 public:
  DepthwiseCorrelation(const Conv2dShape& shape, bool backward, int threads)
      : shape_(shape),
        rows_(shape, backward),
        height_(rows_.weights.height),
        width_(rows_.weights.width),
        blocks_(divide_up(shape.groups, kLanes)),
        bands_(bands(threads)),
        frame_(height_, width_, divide_up(height_.grid(0), bands_)) {}

  bool fits() const { return shape_.channels == 1 && shape_.filters == 1; }

  size_t scratch(int threads) const {
    Scratch scratch(nullptr);
    scratch.take<float>(rows_.gathered());
    for (int i = 0; i < threads; ++i) Room(scratch, *this);
    return scratch.bytes();
  }

  void run(const Run& run, const CorrelationData& data) const {
    Scratch scratch(run.scratch);
    const float* weight = rows_.gather(run.threads, data.weight, scratch.take<float>(rows_.gathered()));
    on_every_thread(run.threads, [&](int thread, int threads) {
      Scratch own = scratch;
      for (int i = 0; i < thread; ++i) Room(own, *this);
      const Room room(own, *this);
      rows_.fill(frame_, room.phases, room.at);
      frame_.begin(room.frame, room.places);
      const Part units = part_of(shape_.images * blocks_ * bands_, thread, threads);
      for (int64_t unit = units.begin; unit < units.end; ++unit) {
        const int64_t block = unit / bands_ % blocks_;
        if (unit == units.begin || unit % bands_ == 0) take_weights(weight, room, block);
        multiply_band(data, room, block, unit / bands_ / blocks_, part_of(height_.grid(0), unit % bands_, bands_));
      }
    });
  }

 private:
  using Phase = WeightRows::Phase;

  static constexpr int64_t kFrame = 8192;  // numbers of a frame, at most, beside the taps' own rows

  /// A thread's own scratch.
  struct Room {
    Phase* phases;
    int64_t *at, *places;               // distance of each tap of each phase; of pixels
    float *weights, *frame, *products;  // of kLanes channels
    Room(Scratch& scratch, const DepthwiseCorrelation& c)
        : phases(scratch.take<Phase>(c.rows_.phases())),
          at(scratch.take<int64_t>(c.rows_.depth())),
          places(scratch.take<int64_t>(c.frame_.places())),
          weights(scratch.take<float>(c.rows_.depth() * kLanes)),
          frame(scratch.take<float>(c.frame_.size())),
          products(scratch.take<float>(c.products() * kLanes)) {}
  };

  int64_t bands(int threads) const {
    const int64_t rows = height_.grid(0), units = blocks_ * shape_.images;
    const int64_t count = divide_up(rows, LaneFrame::rows_in(kFrame, height_, width_));
    // Where there are few, threads have as many each.
    const bool few = units * count < 4 * threads;
    return smaller(rows, few ? divide_up(round_up(units * count, threads), units) : count);
  }

  /// Outputs of a band, at most.
  int64_t products() const { return divide_up(height_.grid(0), bands_) * height_.out_step() * width_.output(); }

  int64_t lanes(int64_t block) const { return smaller(kLanes, shape_.groups - block * kLanes); }

  void take_weights(const float* weight, const Room& room, int64_t block) const {
    const int64_t depth = rows_.depth();
    planes_to_lanes(weight + block * kLanes * depth, depth, lanes(block), depth, room.weights,
                    [](int64_t tap) { return tap * kLanes; });
  }

  void multiply_band(const CorrelationData& data, const Room& room, int64_t block, int64_t image,
                     const Part& band) const {
    const int64_t channel = image * shape_.groups + block * kLanes, row = width_.output();
    frame_.open(data.source + channel * height_.source() * width_.source(), lanes(block), band, room.places,
                room.frame);
    for (const Phase *phase = room.phases, *end = phase + rows_.phases(); phase != end; ++phase) {
      multiply_grid({smaller(band.end, phase->height) - band.begin, phase->width, room.weights + phase->first * kLanes,
                     phase->depth, room.frame, room.at + phase->first, frame_.at(1, 0), frame_.at(0, 1),
                     room.products + (phase->y * row + phase->x) * kLanes, height_.out_step() * row * kLanes,
                     width_.out_step() * kLanes});
    }
    const int64_t first = band.begin * height_.out_step(),
                  last = smaller(band.end * height_.out_step(), height_.output());
    put(room.products, (last - first) * row,
        {data.output + channel * height_.output() * row + first * row, height_.output() * row, lanes(block),
         data.bias == nullptr ? nullptr : data.bias + block * kLanes, data.bounds},
        ahead_of(band, height_.grid(0), height_.out_step(), row, height_.output() * row));
  }

  static void put(const float* products, int64_t pixels, const OutputPlanes& output, int64_t ahead) {
    for (int64_t square = 0; square < pixels; square += kLanes) {
      const int64_t first = larger(0, smaller(square, pixels - kLanes));
      call_planes(output.data + ahead, output.stride, output.planes, square);
      output.put(products + first * kLanes, kLanes, smaller(kLanes, pixels), first);
    }
  }

  Conv2dShape shape_;
  WeightRows rows_;
  CorrelationAxis height_, width_;
  int64_t blocks_, bands_;  // of channels; of rows
  LaneFrame frame_;
};

using Conv2dDepthwise = CorrelationStep<DepthwiseCorrelation, false, true>;
using Conv2dDepthwiseDgrad = CorrelationStep<DepthwiseCorrelation, true, false>;
using Deconv2dDepthwise = CorrelationStep<DepthwiseCorrelation, true, true>;
using Deconv2dDepthwiseDgrad = CorrelationStep<DepthwiseCorrelation, false, false>;

}  // namespace
}  // namespace cortado::CORTADO_ISA
