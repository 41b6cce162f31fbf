// Kernels that move elements, and those that name rows.
#include "../kernels/movement.h"

#include "../kernels/reduce.h"
#include "stored.h"
#include "sums.h"
#include "table.h"

namespace cortado::cuda {

namespace {

/// Element `i` of the whole and of the part that it belongs to; absent where nobody wants that part.
template <class T>
__device__ T* place_in_part(const Parts<T>& parts, int64_t i) {
  const int64_t row = i / parts.width_of_whole;
  int64_t at = i % parts.width_of_whole;
  int k = 0;
  for (; at >= parts.width[k]; ++k) at -= parts.width[k];
  return parts.part[k] ? parts.part[k] + row * parts.width[k] + at : nullptr;
}

/// Joins its inputs along an axis; `extents` are theirs along it.
template <class T>
struct ConcatOf : TakesAlike {
  Parts<T> parts;
  explicit ConcatOf(Prepare& step) : parts(step, true, kType<T>) {}
  void run(const Launch& launch) const { for_each(launch, parts.outer * parts.width_of_whole, *this); }
  __device__ void operator()(int64_t i) const { parts.whole[i] = *place_in_part(parts, i); }
};
using Concat = Stored<ConcatOf>;

/// Cuts its input into its outputs along an axis; `extents` are theirs along it.
template <class T>
struct SliceOf : TakesAlike {
  Parts<T> parts;
  explicit SliceOf(Prepare& step) : parts(step, false, kType<T>) {}
  void run(const Launch& launch) const { for_each(launch, parts.outer * parts.width_of_whole, *this); }
  __device__ void operator()(int64_t i) const {
    if (T* to = place_in_part(parts, i)) *to = parts.whole[i];
  }
};
using Slice = Stored<SliceOf>;

/// `tiles` copies of (outer, width): rows of (outer, tiles, width).
struct Copies {
  int64_t outer, width, tiles;

  Copies(Prepare& step, const Tensor& one, const Tensor& all) : tiles(step.integer("tiles")) {
    const auto axis = static_cast<int>(step.integer("axis"));
    step.expect(axis >= 0 && axis < one.rank && holds(one, one.size()), "an axis of x");
    step.expect(tiles > 0 && holds(all, one.size() * tiles), "a tensor for all copies");
    outer = one.count(0, axis);
    width = one.count(axis, one.rank);
  }
};

/// y = `tiles` copies of x along an axis.
struct Repeat {
  const float* x;
  float* y;
  Copies shape;
  explicit Repeat(Prepare& step) : x(step.in(0).f32()), y(step.out(0).f32()), shape(step, step.in(0), step.out(0)) {}
  void run(const Launch& launch) const { for_each(launch, shape.outer * shape.tiles * shape.width, *this); }
  __device__ void operator()(int64_t i) const {
    y[i] = x[i / (shape.tiles * shape.width) * shape.width + i % shape.width];
  }
};

/// dx = sum of the copies' gradients.
struct RepeatGrad {
  const float* dy;
  float* dx;
  Copies shape;
  explicit RepeatGrad(Prepare& step)
      : dy(step.in(0).f32()), dx(step.out(0).f32()), shape(step, step.out(0), step.in(0)) {}
  void run(const Launch& launch) const { for_each(launch, shape.outer * shape.width, *this); }
  __device__ void operator()(int64_t i) const {
    const float* from = dy + i / shape.width * shape.tiles * shape.width + i % shape.width;
    float sum = 0;
    for (int64_t t = 0; t < shape.tiles; ++t) sum += from[t * shape.width];
    dx[i] = sum;
  }
};

/// y = the box of x at `offsets` (one per axis) of y's extents.
template <class T>
struct CropOf : TakesFirst {
  const T* x;
  T* y;
  Box box;
  explicit CropOf(Prepare& step)
      : x(numbers<T>(step.in(0))), y(numbers_to<T>(step.out(0))), box(step, step.in(0), step.out(0), kType<T>) {}
  void run(const Launch& launch) const { for_each(launch, box.rows * box.width, *this); }
  __device__ void operator()(int64_t i) const { y[i] = x[box.start(i / box.width) + i % box.width]; }
};
using Crop = Stored<CropOf>;

/// dx = dy in the box, 0 around it.
template <class T>
struct CropGradOf : TakesFirst {
  const T* dy;
  T* dx;
  int64_t n;
  Box box;
  explicit CropGradOf(Prepare& step)
      : dy(numbers<T>(step.in(0))),
        dx(numbers_to<T>(step.out(0))),
        n(step.out(0).size()),
        box(step, step.out(0), step.in(0), kType<T>) {}
  void run(const Launch& launch) const {
    check(cudaMemsetAsync(dx, 0, static_cast<size_t>(n) * sizeof(T), launch.stream), "cudaMemsetAsync");
    for_each(launch, box.rows * box.width, *this);
  }
  __device__ void operator()(int64_t i) const { dx[box.start(i / box.width) + i % box.width] = dy[i]; }
};
using CropGrad = Stored<CropGradOf>;

/// y[row] = coefficient * the sum, sum of magnitudes or sum of squares of row `row` of x: as many rows as y has
/// elements.
struct Reduction {
  const float* x;
  float* y;
  int64_t rows, width;
  Reduce reduce;
  double coefficient;

  explicit Reduction(Prepare& step)
      : x(step.in(0).f32()),
        y(step.out(0).f32()),
        rows(step.out(0).size()),
        width(row_width(step, step.in(0), step.out(0))),
        reduce(reduce_of(step)),
        coefficient(step.number("coefficient")) {
    step.scratch(sums_bytes<1>(rows, width));
  }
  void run(const Launch& launch) const { sum_rows<1>(launch, rows, width, launch.scratch, *this); }
  __device__ void term(int64_t row, int64_t i, double (&sums)[1]) const {
    const auto v = static_cast<double>(x[row * width + i]);
    sums[0] += reduce == Reduce::sumsq ? v * v : reduce == Reduce::asum ? fabs(v) : v;
  }
  __device__ void done(int64_t row, const double (&sums)[1]) const {
    y[row] = static_cast<float>(coefficient * sums[0]);
  }
};

/// Inputs dy and, unless a plain sum, x. dx = coefficient * dy times 1, the sign of x (0 at 0) or 2 x.
struct ReductionGrad {
  const float *dy, *x;
  float* dx;
  int64_t n, width;
  Reduce reduce;
  float coefficient;

  explicit ReductionGrad(Prepare& step)
      : dy(step.in(0).f32()), x(step.in(1).f32()), dx(step.out(0).f32()), n(step.out(0).size()) {
    width = row_width(step, step.out(0), step.in(0));
    reduce = reduce_of(step);
    coefficient = static_cast<float>(step.number("coefficient"));
    step.expect(reduce == Reduce::sum || holds(step.in(1), n), "x for a slope that depends on it");
  }
  void run(const Launch& launch) const { for_each(launch, n, *this); }
  __device__ void operator()(int64_t i) const {
    const float d = coefficient * dy[i / width];
    if (reduce == Reduce::sum) {
      dx[i] = d;
    } else if (reduce == Reduce::asum) {
      dx[i] = x[i] > 0.0f ? d : x[i] < 0.0f ? -d : 0.0f;
    } else {
      dx[i] = 2.0f * d * x[i];
    }
  }
};

/// The row that a number names, or -1. Fractions are cut off.
__device__ inline int64_t row_named(float number, int64_t rows) {
  return number >= 0.0f && number < static_cast<float>(rows) ? static_cast<int64_t>(number) : -1;
}

/// Inputs numbers (any shape), table (rows, ...), bias (optional, one row); output: for each number its row, plus the
/// bias. A number that names no row gives NaN.
struct TakeRows {
  const float *number, *table, *bias;
  float* y;
  int64_t count, rows, width;

  explicit TakeRows(Prepare& step)
      : number(step.in(0).f32()), table(step.in(1).f32()), bias(step.in(2).f32()), y(step.out(0).f32()) {
    const Tensor all = step.in(1);
    count = step.in(0).size();
    rows = all.dim[0];
    width = all.count(1, all.rank);
    step.expect(all.rank > 0 && holds(all, rows * width) && holds(step.in(0), count), "numbers and a table");
    step.expect(holds(step.out(0), count * width) && may_hold(step.in(2), width), "a row for every number");
  }
  void run(const Launch& launch) const { for_each(launch, count * width, *this); }
  __device__ void operator()(int64_t i) const {
    const int64_t row = row_named(number[i / width], rows), column = i % width;
    y[i] = row < 0 ? __builtin_nanf("") : table[row * width + column] + (bias ? bias[column] : 0.0f);
  }
};

/// Inputs numbers, dy; outputs gradient of the table, gradient of the bias. A block owns each row, so that rows named
/// twice add up in one order.
struct TakeRowsGrad {
  const float *number, *dy;
  float *dtable, *dbias;
  int64_t count, rows, width;

  explicit TakeRowsGrad(Prepare& step) : number(step.in(0).f32()), dy(step.in(1).f32()) {
    const Tensor table = step.out(0);
    dtable = table.f32();
    dbias = step.out(1).f32();
    count = step.in(0).size();
    rows = table ? table.dim[0] : 0;
    width = count > 0 ? step.in(1).size() / count : 0;
    step.expect(holds(step.in(0), count) && holds(step.in(1), count * width), "a row for every number");
    step.expect(may_hold(table, rows * width) && may_hold(step.out(1), width), "gradients of table and bias");
    step.scratch(sums_bytes<1>(width, count));
  }
  void run(const Launch& launch) const {
    if (dtable) for_blocks(launch, rows, *this);
    if (dbias) sum_rows<1>(launch, width, count, launch.scratch, *this);
  }
  __device__ void operator()(int64_t row) const {
    for (int64_t j = threadIdx.x; j < width; j += kBlock) {
      float sum = 0;
      for (int64_t i = 0; i < count; ++i) {
        if (row_named(number[i], rows) == row) sum += dy[i * width + j];
      }
      dtable[row * width + j] = sum;
    }
  }
  __device__ void term(int64_t column, int64_t i, double (&sums)[1]) const {
    sums[0] += static_cast<double>(dy[i * width + column]);
  }
  __device__ void done(int64_t column, const double (&sums)[1]) const { dbias[column] = static_cast<float>(sums[0]); }
};

}  // namespace

CORTADO_MOVEMENT_KERNELS(CORTADO_DEFINE_KERNEL)

}  // namespace cortado::cuda
