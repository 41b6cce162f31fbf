// Functions of one element: activations and their gradients.
#include "../kernels/activations.h"
#include "../kernels/checks.h"
#include "../kernels/power.h"
#include "packs.h"
#include "stored.h"
#include "table.h"

namespace cortado::cuda {

namespace {

/// F has `kInputs`, a constructor that reads its attributes, and `float operator()(float...) const`.
template <class F>
struct ElementwiseOf {
  template <class T, class V>
  struct Kernel : TakesAlike {
    F f;
    const T* first;
    const V* other[2] = {};
    T* y;
    int64_t n;

    explicit Kernel(Prepare& step)
        : f(step), first(numbers<T>(step.in(0))), y(numbers_to<T>(step.out(0))), n(step.out(0).size()) {
      step.expect(holds(step.out(0), n, kType<T>) && holds(step.in(0), n, kType<T>), "tensors of one size");
      for (int i = 1; i < F::kInputs; ++i) {
        other[i - 1] = numbers<V>(step.in(i));
        step.expect(holds(step.in(i), n, kType<V>), "tensors of one size");
      }
    }

    void run(const Launch& launch) const { for_each(launch, packs_of<T>(n), *this); }

    __device__ void operator()(int64_t q) const {
      const Pack<T> x = load_pack(first, q, n);
      Pack<V> more[2]{};
      for (int i = 1; i < F::kInputs; ++i) more[i - 1] = load_pack(other[i - 1], q, n);
      Pack<T> result;
      for (int j = 0; j < Pack<T>::kSize; ++j) {
        if constexpr (F::kInputs == 1) {
          result.v[j] = f(x.v[j]);
        } else if constexpr (F::kInputs == 2) {
          result.v[j] = f(x.v[j], more[0].v[j]);
        } else {
          result.v[j] = f(x.v[j], more[0].v[j], more[1].v[j]);
        }
      }
      store_pack(y, q, n, result);
    }
  };
};
template <class F>
using Elementwise = Stored<ElementwiseOf<F>::template Kernel>;

}  // namespace

CORTADO_ELEMENTWISE_KERNELS(CORTADO_DEFINE_KERNEL)

}  // namespace cortado::cuda
