// Local response normalisation and the max pooling behind it in one pass: what lies between never reaches memory. A
// channel is normalised into the caches and pooled from there; backward, its gradient is gathered from its windows
// there and meets the normalisation.
#pragma once

#include "lrn.h"
#include "pool.h"
#include "pool_grad.h"

namespace cortado::CORTADO_ISA {

/// x (n, c, h, w) -> y (n, c, oh, ow), code (u8, absent where no gradient is wanted): MaxPool of Lrn.
struct LrnMaxPool {
  Tensor x, y, code;
  LrnShape lrn;
  PoolShape pool;
  int64_t band, bands;  // rows of y at a time; how often

  explicit LrnMaxPool(Prepare& step)
      : x(step.in(0)), y(step.out(0)), code(step.out(1)), lrn(step, x), pool(step, x, y) {
    const int64_t outputs = pool.planes * pool.oh * pool.ow;
    step.expect(holds(y, outputs) && may_hold(code, outputs, DType::u8) && pool.kernel_h * pool.kernel_w <= 256,
                "a maximum and a code for every window");
    // Whole planes follow each other in memory, which then comes by itself; a few images are shared out by parts.
    constexpr int64_t kPixels = 4096;  // of a channel; four are on their way
    const int64_t rows = (kPixels / pool.w - pool.kernel_h) / pool.stride_h + 1, threads = step.threads();
    const int64_t parts = lrn.images % threads != 0 && lrn.images < 4 * threads ? threads : 1;
    band = (pool.oh + parts - 1) / parts;
    if (band > rows) band = rows < 1 ? 1 : rows;
    bands = (pool.oh + band - 1) / band;
    band = (pool.oh + bands - 1) / bands;
    step.scratch(static_cast<size_t>(step.threads() * LrnShape::kTogether * line()) * sizeof(float));
  }

  void run(const Run& run) const {
    const int64_t tiles = lrn.images * bands, work = lrn.channels * band * pool.w * pool.stride_h;
    with_power(lrn.beta, [&](auto power) {
      for_numbered_slices(run.threads, tiles, grain_of(work), [&](int thread, int64_t begin, int64_t end) {
        float* planes = static_cast<float*>(run.scratch) + thread * LrnShape::kTogether * line();
        for (int64_t i = begin; i < end; ++i) tile(power, i / bands, i % bands * band, planes);
      });
    });
  }

 private:
  /// Floats of the rows that a band of outputs sees.
  int64_t line() const { return padded(((band - 1) * pool.stride_h + pool.kernel_h) * pool.w); }

  template <class Power>
  void tile(const Power& power, int64_t image, int64_t first, float* planes) const {
    const int64_t last = first + band < pool.oh ? first + band : pool.oh;
    const WindowSpan above(first, pool.h, pool.kernel_h, pool.stride_h, pool.pad_h);
    const WindowSpan below(last - 1, pool.h, pool.kernel_h, pool.stride_h, pool.pad_h);
    const int64_t top = above.start + above.first, n = (below.start + below.last - top) * pool.w;
    const float* from = x.f32() + image * lrn.channels * lrn.pixels + top * pool.w;
    for (int64_t c = 0; c < lrn.channels; c += lrn.together(c)) {
      lrn.for_scales(power, from, c, n, [&](int64_t i, int64_t j, int64_t lanes, Vf own, Vf s) {
        store_lanes(planes + i * line() + j, own * power(s).power, lanes);
      });
      for (int64_t i = 0; i < lrn.together(c); ++i)
        largest(planes + i * line(), top, image * lrn.channels + c + i, first, last);
    }
  }

  /// Windows [first, last) of a channel, whose rows from `top` on are in `plane`. Windows are told apart here and not
  /// outside of tile(), which would be compiled for each of them.
  void largest(const float* plane, int64_t top, int64_t channel, int64_t first, int64_t last) const {
    const int64_t at = channel * pool.oh * pool.ow;
    with_window(pool, [&]<int Stride, int Width>(Lanes<Stride, Width>) {
      MaxRows<Stride, Width, uint8_t>{pool, plane, top, y.f32() + at, code ? code.u8() + at : nullptr}.all(first, last);
    });
  }
};

/// dy, code (n, c, oh, ow), x (n, c, h, w) -> dx: LrnGrad of MaxPoolGrad; with `relu`, that of the ReLU that made x
/// too.
struct LrnMaxPoolGrad {
  Tensor dy, code, x, dx;
  LrnShape lrn;
  PoolShape pool;
  bool relu;

  explicit LrnMaxPoolGrad(Prepare& step)
      : dy(step.in(0)),
        code(step.in(1)),
        x(step.in(2)),
        dx(step.out(0)),
        lrn(step, x),
        pool(step, dx, dy),
        relu(step.integer("relu") != 0) {
    step.expect(holds(dx, x.size()) && holds(dy, dy.size()) && x.dim[1] == dx.dim[1] && x.dim[2] == dx.dim[2],
                "images and the gradient of their windows");
    step.expect(holds(code, dy.size(), DType::u8) && gathers(pool), "a code for every small window");
    step.scratch(static_cast<size_t>(step.threads() * room()) * sizeof(float));
  }

  void run(const Run& run) const {
    with_power(lrn.beta, [&](auto power) {
      for_numbered_slices(run.threads, lrn.images, 1, [&](int thread, int64_t begin, int64_t end) {
        const Margins margins(pool);
        float* memory = static_cast<float*>(run.scratch) + thread * room();
        float* planes = memory + gather_floats(pool, true);
        margins.clear(memory);
        for (int64_t i = begin; i < end; ++i)
          image(power, margins, i, memory, planes, planes + LrnShape::kTogether * padded(lrn.pixels));
      });
    });
  }

 private:
  int64_t room() const { return gather_floats(pool, true) + (LrnShape::kTogether + lrn.ring()) * padded(lrn.pixels); }

  template <class Power>
  void image(const Power& power, const Margins& margins, int64_t image, float* memory, float* planes,
             float* terms) const {
    const int64_t at = image * lrn.channels * lrn.pixels, outputs = pool.oh * pool.ow, pitch = padded(lrn.pixels);
    const LrnSlope<Power> slope{lrn, power, x.f32() + at, dx.f32() + at, terms, lrn.pixels, pitch, relu};
    int64_t finished = 0;
    for (int64_t c = 0; c < lrn.channels; c += lrn.together(c)) {
      for (int64_t i = 0; i < lrn.together(c); ++i) {
        const int64_t from = (image * lrn.channels + c + i) * outputs;
        margins.copy(pool, memory, dy.f32() + from, code.u8() + from);
        gather_plane<true>(pool, margins, memory, planes + i * pitch);
      }
      slope.enter(planes, pitch, c);
      finished = slope.finish(finished, c + lrn.together(c));
    }
  }
};

}  // namespace cortado::CORTADO_ISA
