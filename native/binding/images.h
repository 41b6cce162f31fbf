#pragma once

#include <napi.h>

#include "../core/memory.h"

namespace cortado::binding {

/// Normalizes pictures [first, last) of { data, channels, height, width, mean, meanHeight, meanWidth, scale, windows?,
/// shift? } into `memory` at byte `offset`. Throws Error INTERNAL or USAGE for numbers that do not fit each other.
void write_images(Memory& memory, size_t offset, const Napi::Value& images, size_t first, size_t last);

}  // namespace cortado::binding
