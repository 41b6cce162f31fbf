// Kernels by the types in which tensors are stored.
#pragma once

#include <variant>

#include "launch.h"
#include "layouts.h"
#include "numbers.h"

namespace cortado::cuda {

/// f(T(), V()) for a gradient, whose type is T, and the values that it is of, of type V. They differ where values are
/// float16, whose gradients are bfloat16: float32's range needs no scale.
template <class F>
decltype(auto) with_gradient(DType gradient, DType values, const F& f) {
  if (gradient == DType::bf16 && values == DType::f16) return f(Brain(), Half());
  return with_numbers(gradient, [&f](auto zero) { return f(zero, zero); });
}

/// One of the kernels Ks, which one is known as it is prepared.
template <class First, class... Ks>
struct OneOf {
  static constexpr Layouts kLayouts = First::kLayouts;
  std::variant<First, Ks...> kernel;

  void run(const Launch& launch) const {
    std::visit([&launch](const auto& k) { k.run(launch); }, kernel);
  }
};

/// The kernel K<T> for a step's tensors, which are all of type T.
template <template <class> class K>
struct Stored : OneOf<K<float>, K<Brain>, K<Half>> {
  explicit Stored(Prepare& step) : Stored::OneOf{chosen(step)} {}

 private:
  static typename Stored::OneOf chosen(Prepare& step) {
    return with_numbers(step.in(0).dtype,
                        [&step](auto zero) { return typename Stored::OneOf{K<decltype(zero)>(step)}; });
  }
};

/// The kernel K<T, V> for a gradient: T is the type of input 0 and of the results, V that of the other inputs.
template <template <class, class> class K>
struct StoredGradient : OneOf<K<float, float>, K<Brain, Brain>, K<Half, Half>, K<Brain, Half>> {
  explicit StoredGradient(Prepare& step) : StoredGradient::OneOf{chosen(step)} {}

 private:
  static typename StoredGradient::OneOf chosen(Prepare& step) {
    bool halves = false;
    for (int i = 1; i < step.inputs(); ++i) halves |= step.in(i).dtype == DType::f16;
    return with_gradient(step.in(0).dtype, halves ? DType::f16 : step.in(0).dtype, [&step](auto t, auto v) {
      return typename StoredGradient::OneOf{K<decltype(t), decltype(v)>(step)};
    });
  }
};

}  // namespace cortado::cuda
