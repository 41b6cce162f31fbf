#pragma once

#include <napi.h>

namespace cortado::binding {

/// cutPicture({ data, channels, height, width, resized: [height, width], extents: [height, width], windows, planes?,
/// out }): see lib/native.ts. Reads and writes the caller's arrays before it returns, on the caller's thread. Throws
/// Error USAGE or INTERNAL for numbers that do not fit each other.
Napi::Value cut_picture(const Napi::CallbackInfo& call);

}  // namespace cortado::binding
