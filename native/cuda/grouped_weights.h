// Weights of a convolution in groups as those of one without: what would stand between the groups is zero. It
// multiplies the products, and yet is often the sooner: engines for groups leave tensor cores idle.
#pragma once

#include "launch.h"

namespace cortado::cuda {

/// Extents of weights (groups * filters, channels, taps); without groups they are (groups * filters, groups * channels,
/// taps) with channels last.
struct GroupedWeights {
  int64_t groups, filters, channels, taps;
  bool last;  // whether channels come last in groups, too

  int64_t size() const { return groups * filters * channels * taps; }
  /// Countable, or there are no kernels for them.
  int64_t whole() const { return size() * groups; }
};

/// A tensor of weights times `scale` (absent: 1) without groups, as numbers of `type`.
void without_groups(const Launch& launch, const GroupedWeights& g, const Tensor& from, void* to, DType type,
                    const float* scale);
/// The way back, which leaves what lies between the groups.
void in_groups(const Launch& launch, const GroupedWeights& g, const void* from, DType type, const Tensor& to,
               const float* scale);

}  // namespace cortado::cuda
