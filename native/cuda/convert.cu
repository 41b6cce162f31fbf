// Conversion as a step of its own.
#include "convert.h"

#include "table.h"

namespace cortado::cuda {

namespace {

/// y = x, rounded to the type of y and in its order. Images of which one has more channels than the other, which then
/// are last: more ones of y are zeros, more ones of x are left out.
struct Convert : TakesAny {
  Tensor x, y;

  explicit Convert(Prepare& step) : x(step.in(0)), y(step.out(0)) {
    step.expect(holds_numbers(x, x.size()) && holds_numbers(y, y.size()), "numbers, and others of any type");
    const bool images = x.rank == 4 && y.rank == 4, filled = images && x.dim[1] != y.dim[1];
    step.expect(filled || x.size() == y.size(), "as many numbers of another type");
    step.expect(!filled || (x.dim[1] > y.dim[1] ? x : y).channels_last, "more channels where they are last");
    if (!filled && x.channels_last == y.channels_last) return;
    step.expect(images && x.dim[0] == y.dim[0] && x.dim[2] == y.dim[2] && x.dim[3] == y.dim[3],
                "images in another order");
  }
  void run(const Launch& launch) const { convert(launch, x, y); }
};

}  // namespace

CORTADO_DEFINE_KERNEL(convert, Convert)

}  // namespace cortado::cuda
