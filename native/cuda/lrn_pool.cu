// Local response normalisation and the max pooling behind it in one pass: what lies between never reaches memory. For
// windows of five channels, which lie last, and small windows of pixels; a thread takes kLanes channels at a time.
#include "lrn_windows.h"
#include "pooling_windows.h"
#include "stored.h"
#include "table.h"

namespace cortado::cuda {

namespace {

/// kLanes numbers beside each other in shared memory.
template <class T>
struct alignas(16) Unit {
  T v[kLanes];
};

/// kLanes channels of a pixel, and two on either side of them: 0 where the pixel has none.
template <class T>
struct Channels {
  struct alignas(2 * sizeof(T)) Two {
    T v[2];
  };
  Packed<T> own;
  Two before, after;

  /// The first of them is at x; whether the pixel has others, the caller knows.
  __device__ void load(const T* x, bool has_before, bool has_after) {
    own = packed(x);
    if (has_before) before = *reinterpret_cast<const Two*>(x - 2);
    if (has_after) after = *reinterpret_cast<const Two*>(x + kLanes);
  }
  __device__ void widened(float (&v)[kLanes + 4]) const {
    CORTADO_UNROLL(2)
    for (int j = 0; j < 2; ++j) {
      v[j] = widen(before.v[j]);
      v[kLanes + 2 + j] = widen(after.v[j]);
    }
    CORTADO_UNROLL(8)
    for (int j = 0; j < kLanes; ++j) v[2 + j] = own[j];
  }
};

/// So many blocks keep a large GPU busy: four on each of its multiprocessors. On the simulated one a few, so that tests
/// meet blocks of more than one pack or row.
#if defined(CORTADO_CUDA_SIM)
constexpr int64_t kEnough = 8;
#else
constexpr int64_t kEnough = 512;
#endif

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Extents that both ways share.
struct LrnPooling {
  Across lrn;
  Pooling pool;

  LrnPooling(Prepare& step, const Tensor& x, const PoolShape& shape, DType dtype)
      : lrn(step, x, dtype), pool(step, shape) {
    step.expect(lrn.last && takes_five(lrn), "windows of five channels, which lie last");
    step.expect(pool.kernel_h * pool.kernel_w <= 256, "windows of at most 256 taps");
  }
  int64_t packs() const { return lrn.channels / kLanes; }
};

/// Normalised pixels enter a ring of lines in shared memory, rounded as if they were stored, and are pooled from there.
/// A block takes some channels of an image, and a band of its windows from the top down.
template <class T, class I>
struct LargestNormalized {
  static constexpr int kRoom = (1 << 15) / sizeof(Unit<T>), kAhead = 2;
  const T* x;
  T* y;
  Codes code;
  Five five;
  WindowsOf<I, kLanes> windows;
  Grid<I> parts;         // images, shares of channels, bands
  I packs, share, band;  // of kLanes channels, a pixel's and a block's; rows of windows
  I line, ring;          // packs of a line and of the ring
  Divisor<I> by_share, by_ring, by_kernel;

  __device__ void operator()(int64_t block) const {
    __shared__ Unit<T> tile[kRoom];
    const Cell<I> part = parts.cell(static_cast<I>(block));
    const I first = part.column * band, end = first + band,
            last = end < windows.rows.outputs ? end : windows.rows.outputs;
    I entered = 0;
    for (I row = first; row < last; ++row) {
      const auto span = windows.rows.span(row);
      const I top = span.start + span.first, bottom = span.start + span.last;
      enter(tile, part, entered > top ? entered : top, bottom);
      entered = bottom;
      __syncthreads();
      pool(tile, part, row, span);
      __syncthreads();
    }
  }

 private:
  /// Lines [begin, end) of the image. Their packs are counted from the image's first on, and lie in the ring in turn.
  __device__ void enter(Unit<T>* tile, const Cell<I>& part, I begin, I end) const {
    const T* from = x + (part.plane * windows.rows.size * windows.columns.size * packs + part.row * share) * kLanes;
    for (I i = begin * line + static_cast<I>(threadIdx.x); i < end * line; i += kAhead * kBlock) {
      Channels<T> channels[kAhead]{};  // on their way together
      CORTADO_UNROLL(2)
      for (int n = 0; n < kAhead; ++n) {
        const I at = i + n * kBlock, pixel = by_share(at), pack = at - pixel * share, all = part.row * share + pack;
        if (at < end * line && all < packs)
          channels[n].load(from + (pixel * packs + pack) * kLanes, all > 0, all + 1 < packs);
      }
      CORTADO_UNROLL(2)
      for (int n = 0; n < kAhead; ++n) {
        const I at = i + n * kBlock;
        if (at < end * line) tile[at - by_ring(at) * ring] = normalized(channels[n]);
      }
    }
  }
  __device__ Unit<T> normalized(const Channels<T>& channels) const {
    float v[kLanes + 4];
    channels.widened(v);
    Unit<T> result;
    CORTADO_UNROLL(8)
    for (int j = 0; j < kLanes; ++j) result.v[j] = narrow<T>(v[j + 2] * five.scale(v + j).power);
    return result;
  }

  /// A row of windows.
  __device__ void pool(const Unit<T>* tile, const Cell<I>& part, I row, const WindowSpanOf<I>& rows) const {
    const I kernel = windows.columns.kernel;
    for (I i = static_cast<I>(threadIdx.x); i < windows.columns.outputs * share; i += kBlock) {
      const I column = by_share(i), pack = i - column * share, all = part.row * share + pack;
      if (all >= packs) continue;
      const auto columns = windows.columns.span(column);
      Best<kLanes> best(static_cast<int32_t>(rows.first * kernel + columns.first));
      for (I r = rows.first; r < rows.last; ++r) {
        const I at = rows.start + r, slot = (at - by_kernel(at) * windows.rows.kernel) * line + pack;
        for (I c = columns.first; c < columns.last; ++c)
          best.meet(load_lanes<kLanes>(tile[slot + (columns.start + c) * share].v),
                    static_cast<int32_t>(r * kernel + c));
      }
      const I output = windows.out.at({part.plane, row, column, all});
      store_lanes<kLanes>(y + output * kLanes, best.value);
      if (code.data) code.set(output, best.winner);
    }
  }
};

/// x (n, c, h, w) -> y (n, c, oh, ow), code (u8, absent where no gradient is wanted): MaxPool of Lrn, to the same bits.
template <class T>
struct LrnMaxPoolOf : TakesAlike {
  const T* x;
  T* y;
  Codes code;
  LrnPooling shape;
  int64_t share, band;

  explicit LrnMaxPoolOf(Prepare& step)
      : x(numbers<T>(step.in(0))),
        y(numbers_to<T>(step.out(0))),
        code(step.out(1)),
        shape(step, step.in(0), PoolShape(step, step.in(0), step.out(0), kType<T>), kType<T>) {
    const Pooling& pool = shape.pool;
    step.expect(holds(step.out(0), pool.outputs(), kType<T>) && may_hold(step.out(1), pool.outputs(), DType::u8),
                "a maximum and a code for every window");
    const int64_t most = LargestNormalized<T, int32_t>::kRoom / (pool.kernel_h * pool.w);
    step.expect(most > 0, "windows whose lines fit shared memory");
    const int64_t packs = shape.packs(), images = shape.lrn.images;
    share = ceil_div(packs, ceil_div(packs, most));
    while (share > 1 && images * pool.oh * ceil_div(packs, share) < kEnough) share = ceil_div(share, 2);
    band = ceil_div(pool.oh, ceil_div(kEnough, images * ceil_div(packs, share)));
  }
  void run(const Launch& launch) const {
    const Pooling& pool = shape.pool;
    const int64_t shares = ceil_div(shape.packs(), share), bands = ceil_div(pool.oh, band), line = pool.w * share;
    with_index(most_of(pool), [&](auto index) {
      using I = decltype(index);
      const auto as = [](int64_t n) { return static_cast<I>(n); };
      const int64_t ring = pool.kernel_h * line;
      for_blocks(launch, shape.lrn.images * shares * bands,
                 LargestNormalized<T, I>{x, y, code, Five(shape.lrn), WindowsOf<I, kLanes>(pool),
                                         Grid<I>(shares, bands), as(shape.packs()), as(share), as(band), as(line),
                                         as(ring), Divisor<I>(share), Divisor<I>(ring), Divisor<I>(pool.kernel_h)});
    });
  }
};
using LrnMaxPool = Stored<LrnMaxPoolOf>;

/// A pixel gathers from at most four windows; its channels' parts of their neighbours' sums that other threads want
/// they find in shared memory. A block takes whole pixels.
template <class T, class V, class I>
struct SlopeOfLargest {
  static constexpr int kResident = sizeof(T) == sizeof(float) ? 2 : 4;
  FewWindows<T> won;
  const V* x;
  T* dx;
  bool relu;
  Five five;
  WindowsOf<I, kLanes> windows;
  I threads, count;

  __device__ void operator()(int64_t block) const {
    __shared__ float edges[4][kBlock];
    const int t = static_cast<int>(threadIdx.x);
    const I i = static_cast<I>(block) * threads + t;
    const bool there = t < threads && i < count;
    float v[kLanes + 4]{}, term[kLanes + 4]{};
    Lanes<kLanes> run{};  // dy s^-beta, then dx
    bool before = false, after = false;
    if (there) {
      const Cell<I> cell = windows.in.cell(i);
      before = cell.channel > 0;
      after = cell.channel + 1 < windows.in.channels;
      Channels<V> channels{};
      channels.load(x + i * kLanes, before, after);
      run = won.of(windows, cell);
      channels.widened(v);
      CORTADO_UNROLL(8)
      for (int j = 0; j < kLanes; ++j) {
        const Scaled s = five.scale(v + j);
        run.v[j] *= s.power;
        term[j + 2] = run.v[j] * v[j + 2] * s.inverse;
      }
      CORTADO_UNROLL(2)
      for (int j = 0; j < 2; ++j) {
        edges[j][t] = term[2 + j];
        edges[2 + j][t] = term[kLanes + j];
      }
    }
    __syncthreads();
    if (!there) return;
    CORTADO_UNROLL(2)
    for (int j = 0; j < 2; ++j) {
      if (before) term[j] = edges[2 + j][t - 1];
      if (after) term[kLanes + 2 + j] = edges[j][t + 1];
    }
    CORTADO_UNROLL(8)
    for (int j = 0; j < kLanes; ++j) {
      const float sum = term[j] + term[j + 1] + term[j + 2] + term[j + 3] + term[j + 4];
      run.v[j] = fmaf(five.slope * v[j + 2], sum, run.v[j]);
      if (relu) run.v[j] = rectified(run.v[j], v[j + 2]);
    }
    store_lanes<kLanes>(dx + i * kLanes, run);
  }
};

/// dy, code (n, c, oh, ow), x (n, c, h, w) -> dx: LrnGrad of MaxPoolGrad, whose result is not rounded; with `relu`,
/// that of the ReLU that made x too.
template <class T, class V>
struct LrnMaxPoolGradOf : TakesAlike {
  FewWindows<T> won;
  const V* x;
  T* dx;
  LrnPooling shape;
  bool relu;

  explicit LrnMaxPoolGradOf(Prepare& step)
      : won{numbers<T>(step.in(0)), step.in(1).u8()},
        x(numbers<V>(step.in(2))),
        dx(numbers_to<T>(step.out(0))),
        shape(step, step.in(2), PoolShape::of_max_gradient(step, kType<T>), kType<V>),
        relu(step.integer("relu") != 0) {
    const Tensor pixels = step.in(2), result = step.out(0);
    const Pooling& pool = shape.pool;
    step.expect(
        holds(result, pixels.size(), kType<T>) && pixels.dim[1] == result.dim[1] && pixels.dim[2] == result.dim[2],
        "images and the gradient of their windows");
    step.expect(FewWindows<T>::suit(pool, step.in(1)), "pixels of at most four windows, codes of one byte");
    step.expect(shape.packs() <= kBlock, "pixels of as many channels as a block takes");
  }
  void run(const Launch& launch) const {
    const Pooling& pool = shape.pool;
    const int64_t count = pool.inputs() / kLanes, threads = kBlock / shape.packs() * shape.packs();
    with_index(most_of(pool), [&](auto index) {
      using I = decltype(index);
      for_blocks(launch, ceil_div(count, threads),
                 SlopeOfLargest<T, V, I>{won, x, dx, relu, Five(shape.lrn), WindowsOf<I, kLanes>(pool),
                                         static_cast<I>(threads), static_cast<I>(count)});
    });
  }
};
using LrnMaxPoolGrad = StoredGradient<LrnMaxPoolGradOf>;

}  // namespace

CORTADO_LRN_POOL_KERNELS(CORTADO_DEFINE_KERNEL)

}  // namespace cortado::cuda
