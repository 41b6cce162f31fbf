#include "bias.h"

#include "index.h"
#include "numbers.h"

namespace cortado::cuda {

namespace {

/// The sum of each plane, whose elements lie together in every image.
template <class T, class I>
struct PlanesOf {
  const T* x;
  int64_t planes, pixels;
  Divisor<I> by_pixels;
  float* to;
  __device__ void term(int64_t plane, int64_t i, double (&sums)[1]) const {
    const int64_t image = by_pixels(static_cast<I>(i));
    sums[0] += static_cast<double>(widen(x[(image * (planes - 1) + plane) * pixels + i]));
  }
  __device__ void done(int64_t plane, const double (&sums)[1]) const { to[plane] = static_cast<float>(sums[0]); }
};

}  // namespace

void PlaneSums::run(const Launch& launch, void* parts) const {
  with_numbers(x.dtype, [&](auto number) {
    using T = decltype(number);
    if (columns()) return sum_columns(launch, cut(), parts, numbers<T>(x), to);
    with_index(images * pixels, [&](auto index) {
      using I = decltype(index);
      sum_rows<1>(launch, planes, images * pixels, parts,
                  PlanesOf<T, I>{numbers<T>(x), planes, pixels, Divisor<I>(pixels), to});
    });
  });
}

}  // namespace cortado::cuda
