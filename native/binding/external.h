// What V8 is told of memory outside its heap.
#pragma once

#include <napi.h>

namespace cortado::binding {

/// That an object has come to hold so many bytes; negative: that it has let go of them. Whenever 64 MiB have come
/// together since the last collection of garbage, V8 begins another one, of which JavaScript's thread does
/// milliseconds: a batch of pictures would be enough. Told of an eighth, it leaves alone who disposes what they have
/// made, and still finds what was forgotten, half a gigabyte at a time.
inline void tell_of_memory(Napi::BasicEnv env, int64_t bytes) {
  constexpr int64_t kShare = 8;
  Napi::MemoryManagement::AdjustExternalMemory(env, bytes / kShare);
}

}  // namespace cortado::binding
