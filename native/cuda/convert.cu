// Conversion as a step of its own.
#include "convert.h"

#include "list.h"
#include "table.h"

namespace cortado::cuda {

namespace {

/// y = x, rounded to the type of y and in its order.
struct Convert : TakesAny {
  Tensor x, y;

  explicit Convert(Prepare& step) : x(step.in(0)), y(step.out(0)) {
    step.expect(holds_numbers(x, x.size()) && holds_numbers(y, x.size()), "numbers, and as many of another type");
    for (int axis = 0; axis < 4 && x.channels_last != y.channels_last; ++axis)
      step.expect(x.rank == y.rank && x.dim[axis] == y.dim[axis], "images in another order");
  }
  void run(const Launch& launch) const { convert(launch, x, y); }
};

}  // namespace

CORTADO_GPU_KERNELS(CORTADO_DEFINE_KERNEL)

}  // namespace cortado::cuda
