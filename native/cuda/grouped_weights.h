// Weights of a convolution in groups as those of one without: what would stand between the groups is zero. It
// multiplies the products, and yet is often the sooner: engines for groups leave tensor cores idle.
#pragma once

#include "index.h"
#include "numbers.h"

namespace cortado::cuda {

/// Extents of weights (groups * filters, channels, taps); without groups they are (groups * filters, groups * channels,
/// taps) with channels last.
struct GroupedWeights {
  int64_t groups, filters, channels, taps;
  bool last;  // whether channels come last in groups, too

  int64_t size() const { return groups * filters * channels * taps; }
  int64_t whole() const { return size() * groups; }
};

/// Where elements of both forms lie.
template <class I>
class GroupedPlaces {
 public:
  explicit GroupedPlaces(const GroupedWeights& g)
      : filters_(static_cast<I>(g.filters)),
        channels_(static_cast<I>(g.channels)),
        taps_(static_cast<I>(g.taps)),
        line_(static_cast<I>(g.groups * g.channels)),
        last_(g.last),
        by_filters_(g.filters),
        by_taps_(g.taps),
        by_line_(g.groups * g.channels) {}

  /// The number in groups of element i of those without; -1 between the groups.
  __device__ I in_groups(I i) const {
    const I row = by_line_(i), filter = by_taps_(row), tap = row - filter * taps_;
    const I channel = i - row * line_ - by_filters_(filter) * channels_;
    if (channel < 0 || channel >= channels_) return -1;
    return last_ ? (filter * taps_ + tap) * channels_ + channel : (filter * channels_ + channel) * taps_ + tap;
  }

 private:
  I filters_, channels_, taps_, line_;
  bool last_;
  Divisor<I> by_filters_, by_taps_, by_line_;
};

/// Weights times `scale` (absent: 1) without groups.
template <class From, class To, class I>
struct WithoutGroups {
  GroupedPlaces<I> places;
  const From* from;
  To* to;
  const float* scale;

  __device__ void operator()(I i) const {
    const I at = places.in_groups(i);
    to[i] = narrow<To>(at < 0 ? 0.0f : (scale ? *scale : 1.0f) * widen(from[at]));
  }
};

/// The way back, which leaves what lies between the groups.
template <class From, class To, class I>
struct InGroups {
  GroupedPlaces<I> places;
  const From* from;
  To* to;
  const float* scale;

  __device__ void operator()(I i) const {
    const I at = places.in_groups(i);
    if (at >= 0) to[at] = narrow<To>((scale ? *scale : 1.0f) * widen(from[i]));
  }
};

}  // namespace cortado::cuda
