// Convolution of filters of 3 to 5 taps each way, a phase of their stride, by Winograd's minimal filtering. Which
// shapes it pays for is decided where programs are made: lib/passes/winograd.ts.
#pragma once

#include "conv2d_shape.h"
#include "reduce_planes.h"
#include "winograd_correlation.h"
#include "winograd_filter_gradient.h"

namespace cortado::CORTADO_ISA {
namespace {

/// Channels of a tensor (n, c, h, w) as groups.
inline Maps maps_of(Prepare& step, const Tensor& x, int64_t groups) {
  step.expect(x.rank == 4 && holds(x, x.size()) && x.size() > 0, "images");
  step.expect(groups > 0 && x.dim[1] % groups == 0, "channels and filters that divide into groups");
  return {groups, x.dim[1] / groups, x.dim[2], x.dim[3]};
}

/// Pixels of a tile each way: 7 or, for 5 taps, 8.
inline int64_t tile_of(Prepare& step, int64_t taps) {
  const int64_t tile = step.integer("tile");
  step.expect(tile == 7 || (tile == 8 && taps == 5), "tiles of 7, or of 8 for 5 taps");
  return tile;
}

/// Filters of `kernel` taps each way.
inline Phases phases_of(Prepare& step, int64_t kernel) {
  const Phases phases{kernel, step.integer("stride")};
  step.expect(phases.stride > 0 && phases.taps() >= 3 && phases.taps() <= 5,
              "a stride with which the filters have 3 to 5 taps a phase");
  return phases;
}

/// Whether the filters are FewFilters.
inline bool few_of(Prepare& step, int64_t tile, int64_t taps) {
  const bool few = step.integer("few") != 0;
  step.expect(!few || (tile == FewFilters::kTile && taps == FewFilters::kTaps),
              "tiles of 7 for 3 taps, if they are few");
  return few;
}

/// What a convolution's window is to Winograd: square, and always touching the image.
struct WinogradWindow {
  int64_t groups, pad_h, pad_w;
  Phases phases;

  WinogradWindow(Prepare& step, const Tensor& image, const Tensor& features, int64_t kernel)
      : groups(step.integer("groups")),
        pad_h(step.integer("padH")),
        pad_w(step.integer("padW")),
        phases(phases_of(step, kernel)) {
    step.expect(image.rank == 4 && features.rank == 4 && image.dim[0] == features.dim[0],
                "images and features of 4 axes");
    const Extent height{image.dim[2], features.dim[2], kernel, phases.stride, pad_h, 1};
    const Extent width{image.dim[3], features.dim[3], kernel, phases.stride, pad_w, 1};
    step.expect(pad_h < kernel && pad_w < kernel && height.agrees() && width.agrees(),
                "windows that fit the image and make these features");
  }
};

/// weight (k, c / groups, r, r) -> filters, in an order of their own, for conv2d_winograd: those of the convolution or,
/// if backward, of its input gradient.
struct WinogradFilters {
  Tensor weight, filters;
  WinogradWeights weights;
  bool few;

  explicit WinogradFilters(Prepare& step) : weight(required(step, step.in(0), "a weight")), filters(step.out(0)) {
    const int64_t groups = step.integer("groups");
    step.expect(weight.rank == 4 && holds(weight, weight.size()) && weight.dim[2] == weight.dim[3] && groups > 0 &&
                    weight.dim[0] % groups == 0,
                "square filters");
    const Phases phases = phases_of(step, weight.dim[3]);
    weights = {groups, weight.dim[1] * phases.count(), weight.dim[0] / groups, tile_of(step, phases.taps()),
               phases, step.integer("backward") != 0};
    few = few_of(step, weights.tile, phases.taps());
    step.expect(phases.stride == 1 || !weights.backward, "no stride backward");
    const int64_t size = few ? weights.few().size() : weights.size();
    step.expect(holds(filters, filters.size()) && filters.size() >= size, "room for the filters");
  }
  void run(const Run& run) const {
    if (few) {
      weights.transform_few(run.threads, weight.f32(), filters.f32());
    } else {
      weights.transform(run.threads, weight.f32(), filters.f32());
    }
  }
};

/// y = w * x + bias, rectified if relu. In: x, filters of WinogradFilters, bias or absent. Out: y. Under the
/// name conv2d_winograd_dgrad it is the input gradient: dy for x, dx for y, the filters turned round.
struct Conv2dWinograd {
  Tensor x, filters, bias, y;
  Bounds bounds;
  WinogradWindow window;
  WinogradCorrelation product;

  explicit Conv2dWinograd(Prepare& step)
      : x(step.in(0)),
        filters(required(step, step.in(1), "filters")),
        bias(step.in(2)),
        y(step.out(0)),
        bounds(step),
        window(step, x, y, step.integer("kernel")),
        product(maps_of(step, x, window.groups), maps_of(step, y, window.groups), x.dim[0],
                tile_of(step, window.phases.taps()), window.phases, window.pad_h, window.pad_w,
                few_of(step, step.integer("tile"), window.phases.taps()), step.threads()) {
    step.expect(holds(filters, filters.size()) && filters.size() >= product.filters(), "filters for these maps");
    step.expect(may_hold(bias, y.dim[1]), "a bias for every filter");
    step.scratch(product.scratch());
  }
  void run(const Run& run) const { product.run(run, {x.f32(), filters.f32(), bias.f32(), y.f32(), bounds}); }
};

/// In: x, dy. Out: dweight, dbias; dbias may be absent.
struct Conv2dWinogradWgrad {
  Tensor x, dy, dweight, dbias;
  WinogradWindow window;
  WinogradFilterGradient product;

  explicit Conv2dWinogradWgrad(Prepare& step)
      : x(step.in(0)),
        dy(step.in(1)),
        dweight(required(step, step.out(0), "a gradient of the weight")),
        dbias(step.out(1)),
        window(step, x, dy, dweight.dim[3]),
        product(maps_of(step, x, window.groups), maps_of(step, dy, window.groups), x.dim[0],
                tile_of(step, window.phases.taps()), window.phases, window.pad_h, window.pad_w, step.threads()) {
    step.expect(dweight.rank == 4 && holds(dweight, dweight.size()) && dweight.dim[0] == dy.dim[1] &&
                    dweight.dim[1] * window.groups == x.dim[1] && dweight.dim[2] == dweight.dim[3],
                "a gradient for these channels and filters");
    step.expect(may_hold(dbias, dy.dim[1]), "a bias for every filter");
    step.scratch(product.scratch());
  }
  void run(const Run& run) const {
    product.run(run, x.f32(), dy.f32(), dweight.f32());
    if (dbias) sum_planes(run.threads, dy.f32(), dy.dim[0], dy.dim[1], dy.count(2, 4), dbias.f32());
  }
};

}  // namespace
}  // namespace cortado::CORTADO_ISA
