// Conversion as a step of its own.
#include "convert.h"

#include "list.h"
#include "table.h"

namespace cortado::cuda {

namespace {

/// y = x, rounded to the type of y.
struct Convert {
  Tensor x, y;

  explicit Convert(Prepare& step) : x(step.in(0)), y(step.out(0)) {
    step.expect(holds_numbers(x, x.size()) && holds_numbers(y, x.size()), "numbers, and as many of another type");
  }
  void run(const Launch& launch) const { convert(launch, x, y); }
};

}  // namespace

CORTADO_GPU_KERNELS(CORTADO_DEFINE_KERNEL)

}  // namespace cortado::cuda
