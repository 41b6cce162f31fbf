// First values of parameters: Caffe's fillers (filler.hpp), the same numbers as on the CPU. And the search for what is
// not finite, and the yardsticks that timings are held against.
#include "../kernels/checks.h"
#include "../kernels/normal.h"
#include "non_finite.h"
#include "packs.h"
#include "sums.h"
#include "table.h"

namespace cortado::cuda {

namespace {

struct Fill {
  float* y;
  int64_t n;
  float value;

  explicit Fill(Prepare& step)
      : y(step.out(0).f32()), n(step.out(0).size()), value(static_cast<float>(step.number("value"))) {
    step.expect(holds(step.out(0), n), "a tensor to fill");
  }
  void run(const Launch& launch) const { for_each(launch, n, *this); }
  __device__ void operator()(int64_t i) const { y[i] = value; }
};

/// What every random filler knows. Random block q makes elements 4 q to 4 q + 3.
struct RandomFill {
  float* y;
  int64_t n, stream;
  const int32_t* state;

  explicit RandomFill(Prepare& step)
      : y(step.out(0).f32()), n(step.out(0).size()), stream(step.integer("stream")), state(step.in(0).i32()) {
    step.expect(holds(step.out(0), n) && holds(step.in(0), 4, DType::i32), "a tensor to fill and a random state");
  }
  __device__ Words words(int64_t q, uint32_t purpose = 0) const {
    return RandomStream(state, stream).words(q, purpose);
  }
  __device__ void uniform(int64_t q, double min, double range) const {
    const Words drawn = words(q);
    Pack<float> quad;
    for (int j = 0; j < 4; ++j) quad.v[j] = static_cast<float>(min + unit_interval(drawn.word[j]) * range);
    store_pack(y, q, n, quad);
  }
};

/// Uniform in [min, max).
struct FillUniform {
  RandomFill fill;
  double min, range;

  explicit FillUniform(Prepare& step) : fill(step), min(step.number("min")), range(step.number("max") - min) {}
  void run(const Launch& launch) const { for_each(launch, packs_of<float>(fill.n), *this); }
  __device__ void operator()(int64_t q) const { fill.uniform(q, min, range); }
};

/// Normal; each element is kept with probability `keep`, the others are 0.
struct FillGaussian {
  RandomFill fill;
  float mean, std;
  double keep;

  explicit FillGaussian(Prepare& step)
      : fill(step), mean(static_cast<float>(step.number("mean"))), std(static_cast<float>(step.number("std"))) {
    keep = step.number("keep");
  }
  void run(const Launch& launch) const { for_each(launch, packs_of<float>(fill.n), *this); }
  __device__ void operator()(int64_t q) const {
    const Words drawn = fill.words(q);
    const NormalPair a = normal_pair(drawn.word[0], drawn.word[1]), b = normal_pair(drawn.word[2], drawn.word[3]);
    Pack<float> quad{{a.first, a.second, b.first, b.second}};
    const Words kept = keep < 1 ? fill.words(q, 1) : Words{};
    for (int j = 0; j < 4; ++j) {
      quad.v[j] = mean + std * quad.v[j];
      if (keep < 1 && !(unit_interval(kept.word[j]) < keep)) quad.v[j] = 0.0f;
    }
    store_pack(fill.y, q, fill.n, quad);
  }
};

/// Uniform in [0, 1).
struct FillUnit {
  RandomFill fill;
  __device__ void operator()(int64_t q) const { fill.uniform(q, 0, 1); }
};

/// Uniform, each row (an output's weights) summing to 1. Scratch: a factor for each row behind the sums.
struct FillUnitball {
  RandomFill fill;
  int64_t rows, width;
  float* factor = nullptr;

  explicit FillUnitball(Prepare& step) : fill(step), rows(step.out(0).rank > 0 ? step.out(0).dim[0] : 1) {
    step.expect(rows > 0, "rows to fill");
    width = fill.n / rows;
    step.scratch(sums_bytes<1>(rows, width) + static_cast<size_t>(rows) * sizeof(float));
  }
  void run(const Launch& launch) const {
    for_each(launch, packs_of<float>(fill.n), FillUnit{fill});
    FillUnitball sums = *this;
    sums.factor = reinterpret_cast<float*>(static_cast<uint8_t*>(launch.scratch) + sums_bytes<1>(rows, width));
    sum_rows<1>(launch, rows, width, launch.scratch, sums);
    for_each(launch, rows * width, sums);
  }
  __device__ void term(int64_t row, int64_t i, double (&sums)[1]) const {
    sums[0] += static_cast<double>(fill.y[row * width + i]);
  }
  __device__ void done(int64_t row, const double (&sums)[1]) const { factor[row] = static_cast<float>(1 / sums[0]); }
  __device__ void operator()(int64_t i) const { fill.y[i] *= factor[i / width]; }
};

/// The tent (1 - |x / f - c|) (1 - |y / f - c|), f = ceil(size / 2), c = (size - 1) / (2 f), in every plane.
struct FillBilinear {
  float* y;
  int64_t n, size;

  explicit FillBilinear(Prepare& step) : y(step.out(0).f32()), n(step.out(0).size()), size(step.out(0).dim[3]) {
    const Tensor to = step.out(0);
    step.expect(holds(to, n) && to.rank == 4 && to.dim[2] == size, "square filters");
  }
  void run(const Launch& launch) const { for_each(launch, n, *this); }
  __device__ void operator()(int64_t i) const {
    const auto f = static_cast<double>((size + 1) / 2);
    const double c = static_cast<double>(size - 1) / (2 * f);
    const double vertical = 1 - fabs(static_cast<double>(i / size % size) / f - c);
    const double horizontal = 1 - fabs(static_cast<double>(i % size) / f - c);
    y[i] = static_cast<float>(horizontal * vertical);
  }
};

/// Copies x to y.
struct ProbeCopy {
  const float* x;
  float* y;
  int64_t n;

  explicit ProbeCopy(Prepare& step) : x(step.in(0).f32()), y(step.out(0).f32()), n(step.in(0).size()) {
    step.expect(holds(step.in(0), n) && holds(step.out(0), n), "tensors of one size");
  }
  void run(const Launch& launch) const { for_each(launch, packs_of<float>(n), *this); }
  __device__ void operator()(int64_t q) const { store_pack(y, q, n, load_pack(x, q, n)); }
};

/// Multiply-adds from registers alone, `rounds` times 16 of them on each of 1024 blocks' threads; out (1) keeps the
/// compiler honest.
struct ProbeFlops {
  float* out;
  int64_t rounds;

  explicit ProbeFlops(Prepare& step) : out(step.out(0).f32()), rounds(step.integer("rounds")) {
    step.expect(holds(step.out(0), 1), "one number");
  }
  void run(const Launch& launch) const { for_blocks(launch, 1024, *this); }
  __device__ void operator()(int64_t block) const {
    constexpr int kSums = 16;
    float sums[kSums];
    for (int i = 0; i < kSums; ++i) sums[i] = static_cast<float>(threadIdx.x + i);
    for (int64_t round = 0; round < rounds; ++round) {
      for (int i = 0; i < kSums; ++i) sums[i] = fmaf(sums[i], 0.999999f, 1e-7f);
    }
    float total = 0;
    for (int i = 0; i < kSums; ++i) total += sums[i];
    if (total == -1.0f || (block == 0 && threadIdx.x == 0)) *out = total;
  }
};

}  // namespace

CORTADO_FILL_KERNELS(CORTADO_DEFINE_KERNEL)
CORTADO_DEFINE_KERNEL(non_finite_product, NonFinite)

}  // namespace cortado::cuda
