#include "row_product.h"

namespace cortado::cuda {

namespace {

/// A warp adds up a unit, in an order that depends on the depth alone.
template <class X, class W, class Y>
struct RowProduct {
  static constexpr int kUnits = kBlock / 32;
  int64_t units, depth;
  const X* row;
  const W* weight;
  Y* to;
  Epilogue epilogue;

  __device__ void operator()(int64_t block) const {
    const int64_t unit = block * kUnits + threadIdx.x / 32;
    if (unit >= units) return;
    const int lane = threadIdx.x % 32;
    const W* const filter = weight + unit * depth;
    float sums[kLanes] = {};
    for (int64_t k = lane * kLanes; k < depth; k += 32 * kLanes) {
      const Lanes<kLanes> w = load_lanes<kLanes>(filter + k), x = load_lanes<kLanes>(row + k);
      for (int j = 0; j < kLanes; ++j) sums[j] = fmaf(w.v[j], x.v[j], sums[j]);
    }
    float sum = 0;
    for (int j = 0; j < kLanes; ++j) sum += sums[j];
    for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_xor_sync(~0u, sum, distance);
    if (lane == 0) to[unit] = narrow<Y>(epilogue(unit, sum));
  }
};

}  // namespace

void multiply_row(const Launch& launch, const Tensor& row, const Tensor& weight, const Tensor& to, int64_t units,
                  int64_t depth, const Epilogue& epilogue) {
  with_numbers(row.dtype, [&](auto x) {
    with_numbers(weight.dtype, [&](auto w) {
      with_numbers(to.dtype, [&](auto y) {
        using X = decltype(x);
        using W = decltype(w);
        using Y = decltype(y);
        for_blocks(launch, (units + RowProduct<X, W, Y>::kUnits - 1) / RowProduct<X, W, Y>::kUnits,
                   RowProduct<X, W, Y>{units, depth, numbers<X>(row), numbers<W>(weight), numbers_to<Y>(to), epilogue});
      });
    });
  });
}

}  // namespace cortado::cuda
