// Several calls of one kernel in one launch.
#pragma once

#include <string.h>

#include "launch.h"

namespace cortado::cuda {

/// Calls of F, one after the other: what a launch costs, some microseconds, is more than most tensors of a net take.
/// Each thread, or block, finds the call that its index falls into.
template <class F>
struct Together {
  /// What a kernel is given has room for so many: 4 KB.
  static constexpr int kMost = 3900 / (sizeof(F) + sizeof(int64_t));
  alignas(F) unsigned char calls[kMost][sizeof(F)];
  int64_t ends[kMost];
  int count = 0;

  void add(const F& call, int64_t size) {
    static_assert(sizeof(Together) <= 4000, "more than a kernel can be given");
    memcpy(calls[count], &call, sizeof call);
    ends[count] = (count > 0 ? ends[count - 1] : 0) + size;
    ++count;
  }
  int64_t size() const { return ends[count - 1]; }
  __device__ void operator()(int64_t i) const {
    int call = 0;
    while (i >= ends[call]) ++call;
    (*reinterpret_cast<const F*>(calls[call]))(call > 0 ? i - ends[call - 1] : i);
  }
};

}  // namespace cortado::cuda
