// Rows of a table by number: embed and batchReindex. Numbers come as floats, as in Caffe; one that the table does not
// have gives a row of NaN and takes no part in the gradient, so that bad data shows instead of reading stray memory.
#pragma once

#include "elementwise.h"

namespace cortado::CORTADO_ISA {

/// The row that a number names, or -1. Fractions are cut off.
CORTADO_INLINE int64_t row_named(float number, int64_t rows) {
  return number >= 0.0f && number < static_cast<float>(rows) ? static_cast<int64_t>(number) : -1;
}

/// Inputs numbers (any shape), table (rows, ...), bias (optional, one row); output: for each number its row, plus the
/// bias.
struct TakeRows {
  const float *number, *table, *bias;
  float* y;
  int64_t count, rows, width;

  explicit TakeRows(Prepare& step)
      : number(step.in(0).f32()),
        table(step.in(1).f32()),
        bias(step.in(2).f32()),
        y(step.out(0).f32()),
        count(step.in(0).size()),
        rows(step.in(1).dim[0]),
        width(step.in(1).count(1, step.in(1).rank)) {
    step.expect(holds(step.in(0), count) && step.in(1).rank > 0 && holds(step.in(1), rows * width),
                "numbers and a table");
    step.expect(may_hold(step.in(2), width) && holds(step.out(0), count * width), "a row for every number");
  }

  void run(const Run& run) const {
    const TakeRows s = *this;
    for_slices(run.threads, count, kElementGrain / (width + 1) + 1, [s](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) s.take(row_named(s.number[i], s.rows), s.y + i * s.width);
    });
  }

 private:
  CORTADO_INLINE void take(int64_t row, float* to) const {
    if (row < 0) {
      for (int64_t j = 0; j < width; ++j) to[j] = __builtin_nanf("");
    } else if (bias) {
      for (int64_t j = 0; j < width; ++j) to[j] = table[row * width + j] + bias[j];
    } else {
      memcpy(to, table + row * width, static_cast<size_t>(width) * sizeof(float));
    }
  }
};

/// Inputs numbers, dy; outputs gradient of the table, gradient of the bias. Each thread owns some of the table's rows,
/// so that rows named twice add up in one order.
struct TakeRowsGrad {
  const float *number, *dy;
  float *dtable, *dbias;
  int64_t count, rows, width;

  explicit TakeRowsGrad(Prepare& step)
      : number(step.in(0).f32()),
        dy(step.in(1).f32()),
        dtable(step.out(0).f32()),
        dbias(step.out(1).f32()),
        count(step.in(0).size()),
        rows(step.out(0) ? step.out(0).dim[0] : 0),
        width(count > 0 ? step.in(1).size() / count : 0) {
    step.expect(holds(step.in(0), count) && holds(step.in(1), count * width), "a row for every number");
    step.expect(may_hold(step.out(0), rows * width) && may_hold(step.out(1), width), "gradients of table and bias");
  }

  void run(const Run& run) const {
    const TakeRowsGrad s = *this;
    if (dtable) {
      for_slices(run.threads, rows, kElementGrain / (width + 1) + 1,
                 [s](int64_t begin, int64_t end) { s.table_rows(begin, end); });
    }
    if (dbias) {
      for_slices(run.threads, width, 64, [s](int64_t begin, int64_t end) { s.bias_columns(begin, end); });
    }
  }

 private:
  CORTADO_INLINE void table_rows(int64_t begin, int64_t end) const {
    memset(dtable + begin * width, 0, static_cast<size_t>((end - begin) * width) * sizeof(float));
    for (int64_t i = 0; i < count; ++i) {
      const int64_t row = row_named(number[i], rows);
      if (row < begin || row >= end) continue;
      float* to = dtable + row * width;
      const float* from = dy + i * width;
      for (int64_t j = 0; j < width; ++j) to[j] += from[j];
    }
  }
  CORTADO_INLINE void bias_columns(int64_t begin, int64_t end) const {
    for (int64_t j = begin; j < end; ++j) dbias[j] = 0;
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t j = begin; j < end; ++j) dbias[j] += dy[i * width + j];
    }
  }
};

}  // namespace cortado::CORTADO_ISA
