#include "half_scales.h"

#include <math.h>

#include "numbers.h"

namespace cortado::cuda {

namespace {

template <class T>
struct LargestOfParts {
  const T* x;
  int64_t size, parts;
  float* to;

  __device__ void operator()(int64_t part) const {
    const int64_t end = size * (part + 1) / parts;
    float largest = 0;
    for (int64_t i = size * part / parts + threadIdx.x; i < end; i += kBlock)
      largest = fmaxf(largest, fabsf(widen(x[i])));
    largest = over_block(largest, Larger());
    if (threadIdx.x == 0) to[part] = largest;
  }
};

struct ScalesOfLargest {
  HalfScales s;

  __device__ void operator()(int64_t) const {
    int room = 15;
    for (int64_t terms = 1; terms < s.depth; terms *= 2) --room;
    int exponent[2] = {};  // each tensor is less than 2^exponent; infinity stays what it is
    for (int side = 0; side < 2; ++side) {
      float largest = threadIdx.x < s.parts(side) ? s.largest(side)[threadIdx.x] : 0.0f;
      largest = over_block(largest, Larger());
      if (largest > 0 && largest < INFINITY) frexpf(largest, &exponent[side]);
    }
    int total = 0;
    for (int side = 0; side < 2; ++side) {
      const int own = s.stays[1 - side] ? room - exponent[1 - side] : side == 0 ? room / 2 : room - room / 2;
      int shift = (own < 15 ? own : 15) - exponent[side];
      shift = s.stays[side] ? 0 : shift > 126 ? 126 : shift < -126 ? -126 : shift;
      if (threadIdx.x == 0) s.left()[side] = ldexpf(1.0f, shift);
      total += shift;
    }
    if (threadIdx.x == 0) *s.result() = ldexpf(1.0f, -total);
  }
};

}  // namespace

void HalfScales::run(const Launch& launch) const {
  for (int side = 0; side < 2; ++side) {
    with_numbers(tensor[side].dtype, [&](auto number) {
      using T = decltype(number);
      for_blocks(launch, parts(side),
                 LargestOfParts<T>{numbers<T>(tensor[side]), size[side], parts(side), largest(side)});
    });
  }
  for_blocks(launch, 1, ScalesOfLargest{*this});
}

}  // namespace cortado::cuda
