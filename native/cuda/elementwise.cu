// Functions of one element: activations and their gradients.
#include "../kernels/activations.h"
#include "../kernels/checks.h"
#include "../kernels/power.h"
#include "packs.h"
#include "stored.h"
#include "table.h"

namespace cortado::cuda {

namespace {

/// F's results of type T, of the same and, behind the first input, of type V.
template <class F, class T, class V>
struct Elements {
  F f;
  const T* first;
  const V* other[2];
  T* y;
  int64_t n;

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

/// F has `kInputs`, a constructor that reads its attributes, and `float operator()(float...) const`. Types are told
/// apart as late as possible: there are many functions.
template <class F>
struct Elementwise : TakesAlike {
  F f;
  Tensor first, other[2], y;

  explicit Elementwise(Prepare& step) : f(step), first(step.in(0)), y(step.out(0)) {
    step.expect(holds_numbers(y, first.size()) && holds_numbers(first, y.size()), "tensors of one size");
    step.expect(first.dtype == y.dtype, "results of the first input's type");
    for (int i = 1; i < F::kInputs; ++i) {
      const Tensor& x = other[i - 1] = step.in(i);
      step.expect(holds_numbers(x, y.size()), "tensors of one size");
      const bool halves = y.dtype == DType::bf16 && x.dtype == DType::f16;
      step.expect(x.dtype == other[0].dtype && (x.dtype == y.dtype || halves),
                  "inputs of one type, or float16 behind a gradient in bfloat16");
    }
  }

  void run(const Launch& launch) const {
    if constexpr (F::kInputs == 1) {
      with_numbers(y.dtype, [&](auto t) { start<decltype(t), decltype(t)>(launch); });
    } else {
      with_gradient(y.dtype, other[0].dtype, [&](auto t, auto v) { start<decltype(t), decltype(v)>(launch); });
    }
  }

 private:
  template <class T, class V>
  void start(const Launch& launch) const {
    const int64_t n = y.size();
    const Elements<F, T, V> elements{
        f, numbers<T>(first), {numbers<V>(other[0]), numbers<V>(other[1])}, numbers_to<T>(y), n};
    for_each(launch, packs_of<T>(n), elements);
  }
};

}  // namespace

CORTADO_ELEMENTWISE_KERNELS(CORTADO_DEFINE_KERNEL)

}  // namespace cortado::cuda
