// Dense layers with weights of 8 bits, for few rows: they wait for memory, and a quarter of the bytes takes a quarter
// of the time. Inputs keep 16 bits, so that nothing is lost but what the weights lose; sums are exact.
#pragma once

#include "../kernels/checks.h"
#include "gemm_few.h"
#include "simd_int8.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Rows of quantized weights are filled up with zeros to a multiple of this: whole vectors everywhere.
constexpr int64_t kInt8Row = 64;

/// Weight (units, inputs) -> whole numbers from -127 to 127 in rows of a multiple of 64; a step for each row.
struct ToInt8 {
  const float* x;
  int8_t* y;
  float* scale;
  int64_t rows, columns;

  explicit ToInt8(Prepare& step) : x(step.in(0).f32()), y(step.out(0).i8()), scale(step.out(1).f32()) {
    const Tensor from = step.in(0);
    step.expect(from.rank == 2 && holds(from, from.size()), "a weight of 2 axes");
    rows = from.dim[0];
    columns = from.dim[1];
    step.expect(holds(step.out(0), rows * round_up(columns, kInt8Row), DType::i8) && holds(step.out(1), rows),
                "room for it, in rows of a multiple of 64, and for their steps");
  }

  void run(const Run& run) const {
    const int64_t stride = round_up(columns, kInt8Row);
    for_slices(run.threads, rows, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) scale[i] = quantize(x + i * columns, columns, 127, y + i * stride, stride);
    });
  }
};

/// Dense for at most kFewRows rows, with a weight and steps of ToInt8.
struct DenseInt8 {
  Tensor x, weight, scale, bias, y;
  int64_t rows, inputs, units, stride;
  bool relu;

  explicit DenseInt8(Prepare& step)
      : x(step.in(0)),
        weight(step.in(1)),
        scale(step.in(2)),
        bias(step.in(3)),
        y(step.out(0)),
        relu(step.integer("relu") != 0) {
    const int64_t axis = step.integer("axis");
    step.expect(holds(x, x.size()) && holds(y, y.size()) && axis >= 0 && axis <= x.rank && y.rank > 0,
                "inputs and outputs");
    rows = x.count(0, static_cast<int>(axis));
    inputs = x.count(static_cast<int>(axis), x.rank);
    units = y.dim[y.rank - 1];
    stride = round_up(inputs, kInt8Row);
    step.expect(rows > 0 && rows <= kFewRows && y.size() == rows * units, "few rows, as many of y as of x");
    step.expect(holds(weight, stride * units, DType::i8) && holds(scale, units) && may_hold(bias, units),
                "a weight, steps and a bias for them");
    step.scratch(static_cast<size_t>(rows * stride) * sizeof(int16_t));
  }

  void run(const Run& run) const {
    auto* const shorts = static_cast<int16_t*>(run.scratch);
    float steps[kFewRows];
    for (int64_t i = 0; i < rows; ++i)
      steps[i] = quantize(x.f32() + i * inputs, inputs, 32767, shorts + i * stride, stride);
    const float* const all = steps;
    for_slices(run.threads, divide_up(units, kAtOnce), 1, [&](int64_t begin, int64_t end) {
      if (rows == 1) return slice<1>(shorts, all, begin, end);
      if (rows == 2) return slice<2>(shorts, all, begin, end);
      if (rows == 3) return slice<3>(shorts, all, begin, end);
      slice<4>(shorts, all, begin, end);
    });
  }

 private:
  static constexpr int64_t kAtOnce = 4;  // units whose weights are read together
  /// Steps after which sums could leave 32 bits: 2 * 127 * 32768 * 256 < 2^31.
  static constexpr int64_t kExact = 256 * kShorts;

  template <int Rows>
  void slice(const int16_t* shorts, const float* steps, int64_t begin, int64_t end) const {
    int64_t unit = begin * kAtOnce;
    const int64_t stop = smaller(units, end * kAtOnce);
    for (; unit + kAtOnce <= stop; unit += kAtOnce) dots<Rows, kAtOnce>(shorts, steps, unit);
    for (; unit < stop; ++unit) dots<Rows, 1>(shorts, steps, unit);
  }

  template <int Rows, int Units>
  void dots(const int16_t* shorts, const float* steps, int64_t unit) const {
    Vf total[Units][Rows] = {};
    const int8_t* w = weight.i8() + unit * stride;
    for (int64_t first = 0; first < stride; first += kExact) {
      Vi sum[Units][Rows] = {};
      const int64_t last = smaller(stride, first + kExact);
      for (int64_t k = first; k < last; k += kShorts) {
#pragma GCC unroll 4
        for (int j = 0; j < Units; ++j) {
#pragma GCC unroll 4
          for (int i = 0; i < Rows; ++i)
            sum[j][i] = add_products(w + j * stride + k, shorts + i * stride + k, sum[j][i]);
        }
      }
#pragma GCC unroll 4
      for (int j = 0; j < Units; ++j) {
#pragma GCC unroll 4
        for (int i = 0; i < Rows; ++i) total[j][i] += to_float(sum[j][i]);
      }
    }
    for (int j = 0; j < Units; ++j) {
      for (int i = 0; i < Rows; ++i) {
        const float offset = bias ? bias.f32()[unit + j] : 0.0f;
        const float value = cortado::CORTADO_ISA::sum(total[j][i]) * scale.f32()[unit + j] * steps[i] + offset;
        y.f32()[i * units + unit + j] = relu && value < 0 ? 0.0f : value;
      }
    }
  }
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
