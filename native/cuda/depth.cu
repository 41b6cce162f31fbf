// Pixels as channels, and back: a convolution of few channels with a stride becomes one of many without.
#include "index.h"
#include "layouts.h"
#include "packs.h"
#include "table.h"

namespace cortado::cuda {

namespace {

template <class I>
struct Element {
  I image, channel, row, column;
};

/// Images in either order of their elements, their channels by N at a time where they are last.
template <class I, int N = 1>
struct Images {
  I channels, rows, columns;

  explicit Images(const Tensor& t)
      : channels(static_cast<I>(t.dim[1])),
        rows(static_cast<I>(t.dim[2])),
        columns(static_cast<I>(t.dim[3])),
        apart_{channels * rows * columns, t.channels_last ? 1 : rows * columns,
               t.channels_last ? columns * channels : columns, t.channels_last ? channels : 1},
        last_(t.channels_last),
        grid_(t.dim[2], t.dim[3], t.channels_last ? t.dim[1] / N : 1),
        by_channels_(t.dim[1]) {}
  /// What lies at place i, the first of N there.
  __device__ Element<I> element(I i) const {
    const Cell<I> cell = grid_.cell(i);
    if (last_) return {cell.plane, cell.channel * N, cell.row, cell.column};
    const I image = by_channels_(cell.plane);
    return {image, cell.plane - image * channels, cell.row, cell.column};
  }
  /// The place of a single element.
  __device__ I at(const Element<I>& e) const {
    return e.image * apart_.image + e.channel * apart_.channel + e.row * apart_.row + e.column * apart_.column;
  }

 private:
  Element<I> apart_;
  bool last_;
  Grid<I> grid_;
  Divisor<I> by_channels_;
};

/// Blocks of pixels, each of which is a pixel on the other side: (y, x) of channel c is a channel of block ((y + padH)
/// / blockH, (x + padW) / blockW), number (c * blockH + (y + padH) % blockH) * blockW + (x + padW) % blockW. The first
/// block begins so far outside of the image. More channels than blocks have are zeros.
struct Blocks : TakesAny {
  Tensor space, depth;
  int64_t block_h, block_w, pad_h, pad_w;

  Blocks(Prepare& step, const Tensor& space, const Tensor& depth)
      : space(space),
        depth(depth),
        block_h(step.integer("blockH")),
        block_w(step.integer("blockW")),
        pad_h(step.integer("padH")),
        pad_w(step.integer("padW")) {
    step.expect(holds_numbers(space, space.size()) && holds_numbers(depth, depth.size()), "numbers of any type");
    step.expect(space.rank == 4 && depth.rank == 4 && space.dim[0] == depth.dim[0], "as many images");
    step.expect(space.size() > 0 && depth.size() > 0, "images with pixels");
    const int64_t room = depth.dim[1] / space.dim[1];
    step.expect(block_h > 0 && block_w > 0 && block_h <= room && block_w <= room / block_h,
                "a channel for every pixel of a block");
    step.expect(pad_h >= 0 && pad_w >= 0 && pad_h <= depth.dim[2] * block_h && pad_w <= depth.dim[3] * block_w,
                "padding within the blocks");
  }
  /// More than any index: blocks have at most as many rows and columns as elements, the padding no more.
  int64_t most() const { return space.size() > 2 * depth.size() ? space.size() : 2 * depth.size(); }
};

template <class From, class To, class I, int N>
struct Deepen {
  Images<I> space;
  Images<I, N> depth;
  Grid<I> block;  // a plane for every channel of the images
  I pad_h, pad_w;
  const From* from;
  To* to;

  explicit Deepen(const Blocks& b)
      : space(b.space),
        depth(b.depth),
        block(b.block_h, b.block_w),
        pad_h(static_cast<I>(b.pad_h)),
        pad_w(static_cast<I>(b.pad_w)),
        from(numbers<From>(b.space)),
        to(numbers_to<To>(b.depth)) {}
  /// N channels of a block, which are runs of the image's rows. Whatever lies outside, no load waits for another.
  __device__ void operator()(I i) const {
    const Element<I> first = depth.element(i);
    const I top = first.row * block.rows - pad_h, left = first.column * block.columns - pad_w;
    Cell<I> cell = block.cell(first.channel);
    Lanes<N> lanes;
    for (int j = 0; j < N; ++j) {
      const I y = top + cell.row, x = left + cell.column;
      const bool there = cell.plane < space.channels && y >= 0 && y < space.rows && x >= 0 && x < space.columns;
      const float value = widen(from[there ? space.at({first.image, cell.plane, y, x}) : 0]);
      lanes.v[j] = there ? value : 0.0f;
      const bool row_ends = ++cell.column == block.columns;
      cell.row += row_ends ? 1 : 0;
      cell.column = row_ends ? 0 : cell.column;
      const bool block_ends = cell.row == block.rows;
      cell.plane += block_ends ? 1 : 0;
      cell.row = block_ends ? 0 : cell.row;
    }
    store_lanes<N>(to + int64_t{i} * N, lanes);
  }
};

template <class From, class To, class I>
struct Flatten {
  Images<I> space, depth;
  Divisor<I> by_height, by_width;
  I block_h, block_w, pad_h, pad_w;
  const From* from;
  To* to;

  explicit Flatten(const Blocks& b)
      : space(b.space),
        depth(b.depth),
        by_height(b.block_h),
        by_width(b.block_w),
        block_h(static_cast<I>(b.block_h)),
        block_w(static_cast<I>(b.block_w)),
        pad_h(static_cast<I>(b.pad_h)),
        pad_w(static_cast<I>(b.pad_w)),
        from(numbers<From>(b.depth)),
        to(numbers_to<To>(b.space)) {}
  __device__ void operator()(I i) const {
    const Element<I> e = space.element(i);
    const I y = e.row + pad_h, x = e.column + pad_w, row = by_height(y), column = by_width(x);
    const I channel = (e.channel * block_h + y - row * block_h) * block_w + x - column * block_w;
    to[i] = narrow<To>(widen(from[depth.at({e.image, channel, row, column})]));
  }
};

/// Images or filters x in blocks: y, in the type and order that it has. What lies outside of x is zero, rows and
/// columns of x beyond the last block are left out.
struct SpaceToDepth : Blocks {
  explicit SpaceToDepth(Prepare& step) : Blocks(step, step.in(0), step.out(0)) {}
  void run(const Launch& launch) const {
    with_both(space.dtype, depth.dtype, [&](auto a, auto b) {
      using A = decltype(a);
      using B = decltype(b);
      const int64_t n = depth.size();
      if (depth.channels_last && depth.dim[1] % kLanes == 0 && countable(most()))
        return for_each<int32_t>(launch, n / kLanes, Deepen<A, B, int32_t, kLanes>(*this));
      with_index(most(), [&](auto index) {
        using I = decltype(index);
        for_each<I>(launch, n, Deepen<A, B, I, 1>(*this));
      });
    });
  }
};

/// The way back: y, of whose every pixel x has a block.
struct DepthToSpace : Blocks {
  explicit DepthToSpace(Prepare& step) : Blocks(step, step.out(0), step.in(0)) {
    step.expect(space.dim[2] <= depth.dim[2] * block_h - pad_h && space.dim[3] <= depth.dim[3] * block_w - pad_w,
                "a block for every pixel");
  }
  void run(const Launch& launch) const {
    with_both(depth.dtype, space.dtype, [&](auto a, auto b) {
      with_index(most(), [&](auto index) {
        using I = decltype(index);
        for_each<I>(launch, space.size(), Flatten<decltype(a), decltype(b), I>(*this));
      });
    });
  }
};

}  // namespace

CORTADO_DEFINE_KERNEL(depth_to_space, DepthToSpace)
CORTADO_DEFINE_KERNEL(space_to_depth, SpaceToDepth)

}  // namespace cortado::cuda
