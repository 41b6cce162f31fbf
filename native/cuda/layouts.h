// What a kernel says of the order in which it takes the elements of images; without a word, channels first.
#pragma once

#include "../core/kernel.h"

namespace cortado::cuda {

struct TakesFirst {
  static constexpr Layouts kLayouts = Layouts::first;
};
struct TakesAlike {
  static constexpr Layouts kLayouts = Layouts::alike;
};
struct TakesAny {
  static constexpr Layouts kLayouts = Layouts::any;
};

}  // namespace cortado::cuda
