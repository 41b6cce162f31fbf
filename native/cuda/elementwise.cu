// Functions of one element: activations and their gradients.
#include "../kernels/activations.h"
#include "../kernels/checks.h"
#include "../kernels/power.h"
#include "quads.h"
#include "table.h"

namespace cortado::cuda {

namespace {

/// F has `kInputs`, a constructor that reads its attributes, and `float operator()(float...) const`.
template <class F>
struct Elementwise {
  F f;
  const float* in[F::kInputs];
  float* y;
  int64_t n;

  explicit Elementwise(Prepare& step) : f(step), y(step.out(0).f32()), n(step.out(0).size()) {
    for (int i = 0; i < F::kInputs; ++i) {
      in[i] = step.in(i).f32();
      step.expect(holds(step.out(0), n) && holds(step.in(i), n), "tensors of one size");
    }
  }

  void run(const Launch& launch) const { for_each(launch, quads_of(n), *this); }

  __device__ void operator()(int64_t q) const {
    Quad x[F::kInputs], result;
    for (int i = 0; i < F::kInputs; ++i) x[i] = load_quad(in[i], q, n);
    for (int j = 0; j < 4; ++j) {
      if constexpr (F::kInputs == 1) {
        result.v[j] = f(x[0].v[j]);
      } else if constexpr (F::kInputs == 2) {
        result.v[j] = f(x[0].v[j], x[1].v[j]);
      } else {
        result.v[j] = f(x[0].v[j], x[1].v[j], x[2].v[j]);
      }
    }
    store_quad(y, q, n, result);
  }
};

}  // namespace

CORTADO_ELEMENTWISE_KERNELS(CORTADO_DEFINE_KERNEL)

}  // namespace cortado::cuda
