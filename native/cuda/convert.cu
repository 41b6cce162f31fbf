// Conversion, for other kernels and as a step of its own.
#include "convert.h"

#include "channels_last.h"
#include "layouts.h"
#include "small_images.h"
#include "table.h"

namespace cortado::cuda {

namespace {

template <class From, class To>
void turn_to_last(const Launch& launch, const Planes& p, const From* from, To* to, const float* scale) {
  const int64_t n = p.outer.size() * p.pixels;
  if (p.inner.size() != kLanes || !countable(n))
    return for_blocks(launch, p.blocks(), ToLast<From, To>{p, from, to, scale});
  for_each<int32_t>(launch, n, PixelToLast<From, To>{p, Divisor<int32_t>(p.pixels), from, to, scale});
}

}  // namespace

void to_last(const Launch& launch, const Planes& p, const Tensor& from, void* to, DType type, const float* scale) {
  with_both(from.dtype, type, [&](auto a, auto b) {
    using From = decltype(a);
    using To = decltype(b);
    const From* const source = numbers<From>(from);
    auto* const target = static_cast<To*>(to);
    if (!from.channels_last && !p.either()) return turn_to_last(launch, p, source, target, scale);
    if (!p.whole()) return for_each(launch, p.filled(), FillUp<From, To>{p, source, target, scale});
    for_lanes(launch, p.size(), p.size() % kLanes == 0, Converted<From, To>{source, target, scale});
  });
}

void from_last(const Launch& launch, const Planes& p, const void* from, DType type, const Tensor& to,
               const float* scale, const Epilogue& epilogue) {
  with_both(type, to.dtype, [&](auto a, auto b) {
    using From = decltype(a);
    using To = decltype(b);
    const auto* const source = static_cast<const From*>(from);
    To* const target = numbers_to<To>(to);
    if (!to.channels_last && !p.either())
      return for_blocks(launch, p.blocks(), FromLast<From, To>{p, source, target, scale, epilogue});
    for_lanes(launch, p.filled(), p.whole(), CutDown<From, To>{p, source, target, scale, epilogue});
  });
}

void convert(const Launch& launch, int64_t n, const float* from, void* to, DType type) {
  with_numbers(type, [&](auto number) {
    using T = decltype(number);
    for_lanes(launch, n, true, Converted<float, T>{from, static_cast<T*>(to)});
  });
}

void convert(const Launch& launch, const Tensor& from, const Tensor& to) {
  const Planes p = Planes::of(from, to);
  const bool copied = p.whole() && (p.either() || from.channels_last == to.channels_last);
  if (!copied && !(p.whole() && SmallImages::takes(p.inner.count, p.pixels))) {
    const bool last = !from.channels_last || (to.channels_last && from.dim[1] < to.dim[1]);
    return last ? to_last(launch, p, from, to.data, to.dtype, nullptr)
                : from_last(launch, p, from.data, from.dtype, to, nullptr, {});
  }
  with_both(from.dtype, to.dtype, [&](auto a, auto b) {
    using From = decltype(a);
    using To = decltype(b);
    const From* const source = numbers<From>(from);
    To* const target = numbers_to<To>(to);
    if (copied) return for_lanes(launch, from.size(), from.size() % kLanes == 0, Converted<From, To>{source, target});
    const SmallImages images(p.inner.count, p.pixels);
    for_blocks(launch, p.outer.count * images.parts(),
               TurnSmallImages<From, To>{images, source, target, to.channels_last});
  });
}

namespace {

/// y = x, rounded to the type of y and in its order. Images of which one has more channels than the other, which then
/// are last: more ones of y are zeros, more ones of x are left out.
struct Convert : TakesAny {
  Tensor x, y;

  explicit Convert(Prepare& step) : x(step.in(0)), y(step.out(0)) {
    step.expect(holds_numbers(x, x.size()) && holds_numbers(y, y.size()), "numbers, and others of any type");
    const bool images = x.rank == 4 && y.rank == 4, filled = images && x.dim[1] != y.dim[1];
    step.expect(filled || x.size() == y.size(), "as many numbers of another type");
    step.expect(!filled || (x.dim[1] > y.dim[1] ? x : y).channels_last, "more channels where they are last");
    if (!filled && x.channels_last == y.channels_last) return;
    step.expect(images && x.dim[0] == y.dim[0] && x.dim[2] == y.dim[2] && x.dim[3] == y.dim[3],
                "images in another order");
  }
  void run(const Launch& launch) const { convert(launch, x, y); }
};

}  // namespace

CORTADO_DEFINE_KERNEL(convert, Convert)

}  // namespace cortado::cuda
