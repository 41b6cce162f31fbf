#pragma once

#include <stdint.h>

namespace cortado {

/// What convolutions and inner products round their inputs to before they multiply; they add up in float32. In which
/// type tensors are stored is their own matter.
enum class Precision : uint8_t { f32, tf32, bf16, f16 };

}  // namespace cortado
