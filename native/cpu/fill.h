// First values of parameters: Caffe's fillers (filler.hpp). Element i depends on seed, stream and i alone, never on the
// number of threads.
#pragma once

#include "../core/kernel.h"
#include "../kernels/normal.h"
#include "elementwise.h"

namespace cortado::CORTADO_ISA {

/// Random blocks of four elements that are made together: arithmetic on 16 at a time becomes vector code.
constexpr int kBatch = 16;
/// Batches that are worth another thread.
constexpr int64_t kFillGrain = 128;

struct Fill {
  float* y;
  int64_t n;
  float value;

  explicit Fill(Prepare& step)
      : y(step.out(0).f32()), n(step.out(0).size()), value(static_cast<float>(step.number("value"))) {
    step.expect(holds(step.out(0), n), "a tensor to fill");
  }

  void run(const Run& run) const {
    float* const to = y;
    const float x = value;
    for_slices(run.threads, n, 1 << 15, [to, x](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) to[i] = x;
    });
  }
};

/// Words of 16 random blocks: word[j][i] is word j of block i.
struct WordBatch {
  uint32_t word[4][kBatch];

  CORTADO_INLINE WordBatch(const RandomStream& random, int64_t first, uint32_t purpose = 0) {
    for (int i = 0; i < kBatch; ++i) {
      const Words words = random.words(first + i, purpose);
      for (int j = 0; j < 4; ++j) word[j][i] = words.word[j];
    }
  }
};

/// Elements made from them, in the same order.
using FloatBatch = float[4][kBatch];

/// What every random filler knows.
struct RandomFill {
  float* y;
  int64_t n, stream;
  const int32_t* state;

  explicit RandomFill(Prepare& step)
      : y(step.out(0).f32()), n(step.out(0).size()), stream(step.integer("stream")), state(step.in(0).i32()) {
    step.expect(holds(step.out(0), n) && holds(step.in(0), 4, DType::i32), "a tensor to fill and a random state");
  }

  /// f(random, first block, batch) makes the elements of 16 blocks.
  template <class F>
  CORTADO_INLINE void for_batches(Threads& team, const F& f) const {
    const RandomStream random(state, stream);
    const RandomFill* const fill = this;
    for_slices(team, (n + 4 * kBatch - 1) / (4 * kBatch), kFillGrain, [&f, random, fill](int64_t begin, int64_t end) {
      for (int64_t batch = begin; batch < end; ++batch) {
        FloatBatch values;
        f(random, batch * kBatch, values);
        fill->put(batch * kBatch * 4, values);
      }
    });
  }

 private:
  CORTADO_INLINE void put(int64_t first, const FloatBatch& values) const {
    float* const to = y + first;
    if (n - first < 4 * kBatch) {
      for (int64_t i = 0; i < n - first; ++i) to[i] = values[i % 4][i / 4];
      return;
    }
    for (int i = 0; i < kBatch; ++i) {
      for (int j = 0; j < 4; ++j) to[4 * i + j] = values[j][i];
    }
  }
};

CORTADO_INLINE void uniform_batch(const RandomStream& random, int64_t first, double min, double range, FloatBatch& to) {
  const WordBatch words(random, first);
  for (int j = 0; j < 4; ++j) {
    for (int i = 0; i < kBatch; ++i) to[j][i] = static_cast<float>(min + unit_interval(words.word[j][i]) * range);
  }
}

/// Uniform in [min, max).
struct FillUniform {
  RandomFill fill;
  double min, range;

  explicit FillUniform(Prepare& step) : fill(step), min(step.number("min")), range(step.number("max") - min) {}

  void run(const Run& run) const {
    const double from = min, width = range;
    fill.for_batches(run.threads, [from, width](const RandomStream& random, int64_t first, FloatBatch& to) {
      uniform_batch(random, first, from, width, to);
    });
  }
};

/// Normal; each element is kept with probability `keep`, the others are 0.
struct FillGaussian {
  RandomFill fill;
  float mean, std;
  double keep;

  explicit FillGaussian(Prepare& step)
      : fill(step),
        mean(static_cast<float>(step.number("mean"))),
        std(static_cast<float>(step.number("std"))),
        keep(step.number("keep")) {}

  void run(const Run& run) const {
    const FillGaussian s = *this;
    fill.for_batches(run.threads, [s](const RandomStream& random, int64_t first, FloatBatch& to) {
      const WordBatch words(random, first);
      for (int j = 0; j < 4; j += 2) {
        for (int i = 0; i < kBatch; ++i) {
          const NormalPair pair = normal_pair(words.word[j][i], words.word[j + 1][i]);
          to[j][i] = s.mean + s.std * pair.first;
          to[j + 1][i] = s.mean + s.std * pair.second;
        }
      }
      if (s.keep < 1) s.drop(WordBatch(random, first, 1), to);
    });
  }

 private:
  CORTADO_INLINE void drop(const WordBatch& words, FloatBatch& to) const {
    for (int j = 0; j < 4; ++j) {
      for (int i = 0; i < kBatch; ++i) to[j][i] = unit_interval(words.word[j][i]) < keep ? to[j][i] : 0.0f;
    }
  }
};

/// Uniform, each row (an output's weights) summing to 1.
struct FillUnitball {
  RandomFill fill;
  int64_t rows;

  explicit FillUnitball(Prepare& step) : fill(step), rows(step.out(0).rank > 0 ? step.out(0).dim[0] : 1) {
    step.expect(rows > 0, "rows to fill");
  }

  void run(const Run& run) const {
    fill.for_batches(run.threads, [](const RandomStream& random, int64_t first, FloatBatch& to) {
      uniform_batch(random, first, 0, 1, to);
    });
    const int64_t width = fill.n / rows;
    float* const to = fill.y;
    for_slices(run.threads, rows, 1, [to, width](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        double sum = 0;
        for (int64_t i = 0; i < width; ++i) sum += to[row * width + i];
        const auto factor = static_cast<float>(1 / sum);
        for (int64_t i = 0; i < width; ++i) to[row * width + i] *= factor;
      }
    });
  }
};

/// The tent (1 - |x / f - c|) (1 - |y / f - c|), f = ceil(size / 2), c = (size - 1) / (2 f), in every plane.
struct FillBilinear {
  float* y;
  int64_t planes, size;

  explicit FillBilinear(Prepare& step)
      : y(step.out(0).f32()), planes(step.out(0).count(0, 2)), size(step.out(0).dim[3]) {
    const Tensor y = step.out(0);
    step.expect(holds(y, y.size()) && y.rank == 4 && y.dim[2] == size, "square filters");
  }

  void run(const Run& run) const {
    float* const to = y;
    const int64_t side = size;
    for_slices(run.threads, planes, 256, [to, side](int64_t begin, int64_t end) {
      const auto f = static_cast<double>((side + 1) / 2);
      const double c = static_cast<double>(side - 1) / (2 * f);
      for (int64_t row = begin * side; row < end * side; ++row) {
        const double vertical = 1 - __builtin_fabs(static_cast<double>(row % side) / f - c);
        for (int64_t x = 0; x < side; ++x) {
          const double horizontal = 1 - __builtin_fabs(static_cast<double>(x) / f - c);
          to[row * side + x] = static_cast<float>(horizontal * vertical);
        }
      }
    });
  }
};

}  // namespace cortado::CORTADO_ISA
