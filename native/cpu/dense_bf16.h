// Dense layers with weights of 16 bits, for few rows: they wait for memory, and half the bytes take half the time.
#pragma once

#include "dense.h"

namespace cortado::CORTADO_ISA {
namespace {

/// x -> y (bf16) of the same size, rounded to the nearest, ties to even.
struct ToBf16 {
  const float* x;
  uint16_t* y;
  int64_t n;

  explicit ToBf16(Prepare& step) : x(step.in(0).f32()), y(step.out(0).bf16()), n(step.out(0).size()) {
    step.expect(holds(step.in(0), n) && holds(step.out(0), n, DType::bf16), "tensors of one size");
  }

  void run(const Run& run) const {
    const float* const from = x;
    uint16_t* const to = y;
    for_slices(run.threads, n, kElementGrain, [from, to](int64_t begin, int64_t end) {
      CORTADO_INDEPENDENT
      for (int64_t i = begin; i < end; ++i) {
        uint32_t bits;
        memcpy(&bits, from + i, sizeof bits);
        const bool nan = (bits & 0x7fffffff) > 0x7f800000;
        const uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1);
        to[i] = static_cast<uint16_t>((nan ? bits | 0x400000 : rounded) >> 16);
      }
    });
  }
};

/// Dense for at most kFewRows rows and a weight (units, inputs) of ToBf16.
struct DenseBf16 {
  Tensor x, weight, bias, y;
  int64_t rows, inputs, units;
  bool relu;

  explicit DenseBf16(Prepare& step)
      : x(step.in(0)), weight(step.in(1)), bias(step.in(2)), y(step.out(0)), relu(step.integer("relu") != 0) {
    const int64_t axis = step.integer("axis");
    step.expect(holds(x, x.size()) && holds(y, y.size()) && axis >= 0 && axis <= x.rank && y.rank > 0,
                "inputs and outputs");
    rows = x.count(0, static_cast<int>(axis));
    inputs = x.count(static_cast<int>(axis), x.rank);
    units = y.dim[y.rank - 1];
    step.expect(rows > 0 && rows <= kFewRows && y.size() == rows * units, "few rows, as many of y as of x");
    step.expect(holds(weight, inputs * units, DType::bf16) && may_hold(bias, units), "a weight and a bias for them");
  }
  void run(const Run& run) const {
    multiply_few_by_rows(run.threads,
                         FewRows<uint16_t>{rows, units, inputs, x.f32(), weight.bf16(), bias.f32(), relu, y.f32()});
  }
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
