// Kernels by the types in which tensors are stored.
#pragma once

#include <variant>

#include "launch.h"
#include "layouts.h"
#include "numbers.h"

namespace cortado::cuda {

/// The kernel K<T, V> for a step's tensors: T is the type of input 0 and of the results, V that of the other inputs.
/// They differ where values are float16, whose gradients are bfloat16: float32's range needs no scale.
template <template <class, class> class K>
struct Stored {
  static constexpr Layouts kLayouts = K<float, float>::kLayouts;
  std::variant<K<float, float>, K<Brain, Brain>, K<Half, Half>, K<Brain, Half>> kernel;

  explicit Stored(Prepare& step) : kernel(chosen(step)) {}
  void run(const Launch& launch) const {
    std::visit([&launch](const auto& k) { k.run(launch); }, kernel);
  }

 private:
  static decltype(kernel) chosen(Prepare& step) {
    bool halves = false;
    for (int i = 1; i < step.inputs(); ++i) halves |= step.in(i).dtype == DType::f16;
    switch (step.in(0).dtype) {
      case DType::bf16:
        if (halves) return K<Brain, Half>(step);
        return K<Brain, Brain>(step);
      case DType::f16:
        return K<Half, Half>(step);
      default:
        return K<float, float>(step);
    }
  }
};

}  // namespace cortado::cuda
