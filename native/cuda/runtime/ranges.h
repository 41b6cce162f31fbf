#pragma once

namespace cortado::cuda {

/// A range on the timeline of a profiler while it lives (NVTX): what the calling thread launches in it bears its name.
/// Nothing where NVTX's header was not there when this was compiled.
class Range {
 public:
  explicit Range(const char* name);
  ~Range();
  Range(const Range&) = delete;
  Range& operator=(const Range&) = delete;
};

/// Whether a profiler is attached that shows ranges: it tells NVTX where it is by a variable
/// (https://github.com/NVIDIA/NVTX, "Injection").
bool ranges_are_watched();

}  // namespace cortado::cuda
