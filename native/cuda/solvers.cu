// What ends a training step: the solvers' rules, one pass over a parameter and its history, and the clipping of
// gradients.
#include "../kernels/solvers.h"

#include "../kernels/checks.h"
#include "layouts.h"
#include "packs.h"
#include "sums.h"
#include "table.h"
#include "together.h"

namespace cortado::cuda {

namespace {

/// A copy of a parameter in 16 bits, for products; that of filters may have their channels last, those of a block of
/// taps one behind the other (depth.cu), with zeros for more of them behind, which are there already.
class Copy {
 public:
  Copy() = default;
  Copy(Prepare& step, const Tensor& of, const Tensor& to, const double (&block)[2]) : to_(to.data), type_(to.dtype) {
    step.expect(type_ == DType::bf16 || type_ == DType::f16, "a copy in 16 bits");
    step.expect(to.channels_last || to.size() == of.size(), "a copy of all weights");
    if (!to.channels_last) return;
    constexpr int64_t kMost = int64_t{1} << 30;
    step.expect(of.rank == 4 && of.size() > 0 && of.count(1, 4) < kMost, "a copy of filters");
    step.expect(block[0] >= 1 && block[1] >= 1 && block[0] * block[1] * of.dim[1] <= to.dim[1] && to.dim[1] < kMost,
                "a channel for every tap of a block");
    channels_ = static_cast<int>(of.dim[1]);
    filled_ = static_cast<int>(to.dim[1]);
    rows_ = static_cast<int>(of.dim[2]);
    columns_ = static_cast<int>(of.dim[3]);
    block_h_ = static_cast<int>(block[0]);
    block_w_ = static_cast<int>(block[1]);
    step.expect(of.dim[0] == to.dim[0] && to.dim[2] == down() && to.dim[3] == across(), "a copy of the same filters");
  }

  /// Elements of pack q of n.
  __device__ void put(int64_t q, int64_t n, const Pack<float>& pack) const {
    if (type_ == DType::bf16) put_as<Brain>(q, n, pack);
    if (type_ == DType::f16) put_as<Half>(q, n, pack);
  }

 private:
  template <class T>
  struct alignas(4 * sizeof(T)) Four {
    T v[4];
  };

  /// Blocks that filters have.
  __host__ __device__ int down() const { return (rows_ + block_h_ - 1) / block_h_; }
  __host__ __device__ int across() const { return (columns_ + block_w_ - 1) / block_w_; }

  template <class T>
  __device__ void put_as(int64_t q, int64_t n, const Pack<float>& pack) const {
    T* const to = static_cast<T*>(to_);
    if (filled_ == 0 && 4 * q + 4 <= n) {
      Four<T> four;
      for (int j = 0; j < 4; ++j) four.v[j] = narrow<T>(pack.v[j]);
      reinterpret_cast<Four<T>*>(to)[q] = four;
      return;
    }
    if (filled_ == 0) {
      for (int j = 0; j < 4 && 4 * q + j < n; ++j) to[4 * q + j] = narrow<T>(pack.v[j]);
      return;
    }
    int64_t outer = 4 * q / (channels_ * rows_ * columns_);
    const auto inner = static_cast<int>(4 * q - outer * (channels_ * rows_ * columns_));
    int x = inner % columns_, y = inner / columns_ % rows_, channel = inner / columns_ / rows_;
    for (int j = 0; j < 4 && 4 * q + j < n; ++j) {
      const int row = y / block_h_, column = x / block_w_;
      const int deep = (channel * block_h_ + y - row * block_h_) * block_w_ + x - column * block_w_;
      to[((outer * down() + row) * across() + column) * filled_ + deep] = narrow<T>(pack.v[j]);
      if (++x < columns_) continue;
      x = 0;
      if (++y < rows_) continue;
      y = 0;
      if (++channel < channels_) continue;
      channel = 0;
      ++outer;
    }
  }

  void* to_ = nullptr;
  int channels_ = 0, filled_ = 0, rows_ = 0, columns_ = 0;  // where channels are last
  int block_h_ = 1, block_w_ = 1;
  DType type_ = DType::f32;  // of none
};

/// Inputs gradient, pace (3), clip factor (1, may be absent), parameter, slots; outputs parameter and slots, which are
/// the same tensors in a training step, then copies of the parameter, of which the attribute `blocks` says how many
/// taps (height, width) are channels of one.
template <class Rule>
struct Update : TakesAny {
  static constexpr int kFirst = 3;  // input of the parameter; the slots follow
  static constexpr int kTensors = 1 + Rule::kSlots, kCopies = 2;
  Rule rule;
  Penalty penalty;
  const float *gradient, *pace, *clip, *before[kTensors];
  float* after[kTensors];
  Copy copies[kCopies];
  int64_t n;

  explicit Update(Prepare& step) : rule(step), penalty(step), gradient(step.in(0).f32()), n(step.out(0).size()) {
    pace = step.in(1).f32();
    clip = step.in(2).f32();
    step.expect(holds(step.in(0), n) && holds(step.in(1), 3) && may_hold(step.in(2), 1), "a gradient and a pace");
    for (int i = 0; i < kTensors; ++i) {
      before[i] = step.in(kFirst + i).f32();
      after[i] = step.out(i).f32();
      step.expect(holds(step.in(kFirst + i), n) && holds(step.out(i), n), "a parameter and its history of one size");
    }
    step.expect(step.outputs() <= kTensors + kCopies, "two copies at most");
    double blocks[kCopies][2] = {};
    const int made = step.outputs() - kTensors, given = made > 0 ? step.list("blocks", blocks[0], 2 * kCopies) : 0;
    step.expect(given == 2 * (made > 0 ? made : 0), "the extents of a block for every copy");
    for (int i = 0; i < made; ++i) copies[i] = Copy(step, step.out(0), step.out(kTensors + i), blocks[i]);
  }

  void run(const Launch& launch) const { for_blocks(launch, blocks(), *this); }

  /// Every parameter has one update of its own.
  static void run_together(const void* const* prepared, int count, const Launch& launch) {
    using All = Together<Update>;
    for (int first = 0; first < count; first += All::kMost) {
      All all{};
      for (int i = first; i < count && i < first + All::kMost; ++i) {
        const auto& one = *static_cast<const Update*>(prepared[i]);
        all.add(one, one.blocks());
      }
      for_blocks(launch, all.size(), all);
    }
  }

  __device__ void operator()(int64_t block) const {
    const Pace now{pace[0], pace[1], pace[2]};
    const float factor = clip ? *clip : 1.0f;
    const int64_t first = block * kPacks + threadIdx.x;
    for (int64_t q = first; q < first + kPacks && q * Pack<float>::kSize < n; q += kBlock) apply(q, now, factor);
  }

 private:
  /// What a block updates: enough that to find whose it is costs nothing beside it.
  static constexpr int64_t kPacks = 8 * kBlock;
  int64_t blocks() const { return (packs_of<float>(n) + kPacks - 1) / kPacks; }

  __device__ void apply(int64_t q, const Pace& now, float factor) const {
    const Pack<float> g = load_pack(gradient, q, n);
    Pack<float> own[kTensors];
    for (int k = 0; k < kTensors; ++k) own[k] = load_pack(before[k], q, n);
    for (int j = 0; j < 4; ++j) {
      const float w = own[0].v[j];
      float history[2] = {own[1].v[j], own[Rule::kSlots].v[j]};
      own[0].v[j] = w - rule(now, penalty(factor, g.v[j], w), w, history);
      for (int k = 1; k < kTensors; ++k) own[k].v[j] = history[k - 1];
    }
    for (int k = 0; k < kTensors; ++k) store_pack(after[k], q, n, own[k]);
    for (const Copy& copy : copies) copy.put(q, n, own[0]);
  }
};

/// y (2) = the sum of squares of x, added to the one in input 1 if there is one. The two floats of a sum add up to a
/// double's better half, so that it loses nothing on its way through all parameters.
struct SquaredNorm {
  const float *x, *before;
  float* y;
  int64_t n;

  explicit SquaredNorm(Prepare& step)
      : x(step.in(0).f32()), before(step.in(1).f32()), y(step.out(0).f32()), n(step.in(0).size()) {
    step.expect(holds(step.in(0), n) && may_hold(step.in(1), 2) && holds(step.out(0), 2), "a tensor and a sum");
    step.scratch(sums_bytes<1>(1, n));
  }
  void run(const Launch& launch) const { sum_rows<1>(launch, 1, n, launch.scratch, *this); }
  __device__ void term(int64_t, int64_t i, double (&sums)[1]) const {
    const auto v = static_cast<double>(x[i]);
    sums[0] += v * v;
  }
  __device__ void done(int64_t, const double (&sums)[1]) const {
    const double sum = sums[0] + (before ? static_cast<double>(before[0]) + static_cast<double>(before[1]) : 0.0);
    y[0] = static_cast<float>(sum);
    y[1] = static_cast<float>(sum - static_cast<double>(y[0]));
  }
};

/// y (1) = most / norm where the norm, whose square is x (2), is more than `most`; else 1.
struct ClipFactor {
  const float* x;
  float* y;
  double most;

  explicit ClipFactor(Prepare& step) : x(step.in(0).f32()), y(step.out(0).f32()), most(step.number("most")) {
    step.expect(holds(step.in(0), 2) && holds(step.out(0), 1), "a sum of squares and a factor");
  }
  void run(const Launch& launch) const { for_each(launch, 1, *this); }
  __device__ void operator()(int64_t) const {
    const double norm = sqrt(static_cast<double>(x[0]) + static_cast<double>(x[1]));
    *y = norm > most ? static_cast<float>(most / norm) : 1.0f;
  }
};

}  // namespace

CORTADO_SOLVER_KERNELS(CORTADO_DEFINE_KERNEL)

}  // namespace cortado::cuda
