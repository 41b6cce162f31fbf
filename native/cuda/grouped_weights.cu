#include "grouped_weights.h"

#include "index.h"
#include "numbers.h"

namespace cortado::cuda {

namespace {

using I = int32_t;

/// Where elements of both forms lie.
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

template <class From, class To>
struct WithoutGroups {
  GroupedPlaces places;
  const From* from;
  To* to;
  const float* scale;

  __device__ void operator()(I i) const {
    const I at = places.in_groups(i);
    to[i] = narrow<To>(at < 0 ? 0.0f : (scale ? *scale : 1.0f) * widen(from[at]));
  }
};

template <class From, class To>
struct InGroups {
  GroupedPlaces places;
  const From* from;
  To* to;
  const float* scale;

  __device__ void operator()(I i) const {
    const I at = places.in_groups(i);
    if (at >= 0) to[at] = narrow<To>((scale ? *scale : 1.0f) * widen(from[i]));
  }
};

}  // namespace

void without_groups(const Launch& launch, const GroupedWeights& g, const Tensor& from, void* to, DType type,
                    const float* scale) {
  with_both(from.dtype, type, [&](auto a, auto b) {
    using From = decltype(a);
    using To = decltype(b);
    for_each<I>(launch, g.whole(),
                WithoutGroups<From, To>{GroupedPlaces(g), numbers<From>(from), static_cast<To*>(to), scale});
  });
}

void in_groups(const Launch& launch, const GroupedWeights& g, const void* from, DType type, const Tensor& to,
               const float* scale) {
  with_both(type, to.dtype, [&](auto a, auto b) {
    using From = decltype(a);
    using To = decltype(b);
    for_each<I>(launch, g.whole(),
                InGroups<From, To>{GroupedPlaces(g), static_cast<const From*>(from), numbers_to<To>(to), scale});
  });
}

}  // namespace cortado::cuda
