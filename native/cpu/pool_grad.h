// Max and average pooling, backward. With small windows and strides 1 and 2, every row of dx gathers from the outputs
// whose windows cover it, kLanes columns at a time; otherwise every output adds to the pixels of its window.
#pragma once

#include "../kernels/window.h"
#include "pool.h"
#include "simd.h"
#include "slices.h"

namespace cortado::CORTADO_ISA {

/// One plane of dy between margins, so that windows that do not exist read as zero: row oh, column ow is at
/// (oh * pitch + kMargin + ow). Codes lie behind it the same way, as int32; -1 is no tap. Rows begin at a vector's
/// place, so that most loads touch one line of the cache.
struct Margins {
  static constexpr int64_t kMargin = kLanes < 8 ? 8 : kLanes;  // (kernel_w - 1) / stride_w is less
  int64_t pitch, floats;
  explicit Margins(const PoolShape& s)
      : pitch(kMargin + vectors(more((s.w - 1 + s.pad_w) / s.stride_w + 1, s.ow)) + kLanes),
        floats(padded(s.oh * pitch)) {}

  void clear(float* memory) const {
    memset(memory, 0, static_cast<size_t>(floats) * sizeof(float));
    memset(memory + floats, 0xff, static_cast<size_t>(floats) * sizeof(float));
  }

  /// Brings a plane of dy and its codes in.
  template <class Code>
  void copy(const PoolShape& s, float* memory, const float* from, const Code* codes) const {
    auto* wide = reinterpret_cast<int32_t*>(memory + floats);
    const int64_t width = s.ow, height = s.oh, step = pitch;
    for (int64_t oh = 0; oh < height; ++oh) {
      for (int64_t ow = 0; ow < width; ow += kLanes) {
        const int64_t n = width - ow < kLanes ? width - ow : kLanes, to = oh * step + kMargin + ow,
                      at = oh * width + ow;
        store_lanes(memory + to, load_lanes(from + at, n), n);
        store_lanes(wide + to, load_part(codes + at, n), n);
      }
    }
  }

 private:
  static CORTADO_INLINE int64_t more(int64_t a, int64_t b) { return a > b ? a : b; }
  static CORTADO_INLINE int64_t vectors(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }
};

/// One plane of dx, gathered. `dy` and `code` have margins. Shift: pad_w modulo Stride, by which the columns of the
/// plane lie behind those of the windows.
template <int Stride, int Width, int Shift, bool kMax>
struct PoolGather {
  PoolShape s;
  Margins margins;
  const float* dy;
  const int32_t* code;
  int64_t next;  // distance of the plane that is written after this one; none if 0

  void plane(float* dx) const {
    for (int64_t j = 0; j < s.w; j += Stride * kLanes) {
      const int64_t column = Margins::kMargin + j / Stride + s.pad_w / Stride;
      if constexpr (Stride == 2 && Width == 3 && Shift == 0) {
        if (s.kernel_h == 3 && s.stride_h == 2 && s.pad_h == 0) {
          pairs(dx + j, column, s.w - j);
          continue;
        }
      }
      columns(dx + j, column, s.w - j);
    }
  }

 private:
  /// Stride vectors of columns, n of which are the plane's, that see the outputs from `column` on.
  void columns(float* dx, int64_t column, int64_t n) const {
    const PoolGather own = *this;
    for (int64_t h = 0; h < own.s.h; ++h, dx += own.s.w) {
      if (own.next != 0) call(dx + own.next, 1, 0, Stride * kLanes);
      const int64_t reach = h + own.s.pad_h, stride = own.s.stride_h == Stride ? Stride : own.s.stride_h;
      const int64_t first = reach < own.s.kernel_h ? 0 : (reach - own.s.kernel_h) / stride + 1;
      const int64_t last = reach / stride + 1 < own.s.oh ? reach / stride + 1 : own.s.oh;
      Vf sums[Stride] = {};
      for (int64_t oh = first; oh < last; ++oh) {
        own.add(sums, oh * own.margins.pitch + column, (reach - oh * stride) * own.s.kernel_w);
      }
      put(dx, sums, n);
    }
  }

  CORTADO_INLINE static void put(float* dx, const Vf (&sums)[Stride], int64_t n) {
    if constexpr (Stride == 1) {
      store_lanes(dx, sums[0], as_lanes(n));
    } else {
      store_lanes(dx, interleave<0>(sums[0], sums[1], AllLanes{}), as_lanes(n));
      if (n > kLanes) store_lanes(dx + kLanes, interleave<1>(sums[0], sums[1], AllLanes{}), as_lanes(n - kLanes));
    }
  }

  /// The same for windows of 3 x 3 that begin 2 apart: an even row of the plane is the last of the windows above it and
  /// the first of those that begin in it, and the row below their middle, so that each output is loaded once.
  void pairs(float* dx, int64_t column, int64_t n) const {
    const PoolGather own = *this;
    Outputs above{};
    for (int64_t h = 0; h < own.s.h; h += 2, dx += 2 * own.s.w) {
      if (own.next != 0) call(dx + own.next, 2, own.s.w, 2 * kLanes);
      const Outputs here = h / 2 < own.s.oh ? own.outputs(h / 2 * own.margins.pitch + column) : Outputs{};
      Vf even[2] = {}, odd[2] = {};
      above.add(even, 6);
      here.add(even, 0);
      put(dx, even, n);
      here.add(odd, 3);
      if (h + 1 < own.s.h) put(dx + own.s.w, odd, n);
      above = here;
    }
  }

  /// A row of outputs whose windows begin in a vector of even columns, and of those one before.
  struct Outputs {
    Vf dy, dy_before;
    Vi code, code_before;
    /// Adds what they give by their windows' taps from `tap` on to even and odd columns.
    CORTADO_INLINE void add(Vf (&sums)[2], int tap) const {
      sums[0] = with(sums[0], dy, code, tap);
      sums[1] = with(sums[1], dy, code, tap + 1);
      sums[0] = with(sums[0], dy_before, code_before, tap + 2);
    }

   private:
    CORTADO_INLINE static Vf with(Vf sum, Vf v, Vi code, int tap) {
      return kMax ? select(code == splat(tap), sum + v, sum) : sum + v;
    }
  };
  CORTADO_INLINE Outputs outputs(int64_t at) const {
    if constexpr (!kMax) return {load(dy + at), load(dy + at - 1), Vi{}, Vi{}};
    return {load(dy + at), load(dy + at - 1), load(code + at), load(code + at - 1)};
  }

  /// Adds what a row of outputs gives by its windows' taps from `tap` on.
  CORTADO_INLINE void add(Vf (&sums)[Stride], int64_t at, int64_t tap) const {
#pragma GCC unroll 3
    for (int c = 0; c < (Width > 0 ? Width : static_cast<int>(s.kernel_w)); ++c) {
      const int64_t from = at + (c % Stride < Shift ? 1 : 0) - c / Stride;
      Vf& sum = sums[(c + Stride - Shift) % Stride];
      if constexpr (kMax) {
        const Vi own = load(code + from) == splat(static_cast<int32_t>(tap) + c);
        sum = select(own, sum + load(dy + from), sum);
      } else {
        sum += load(dy + from);
      }
    }
  }
};

/// Whether gathering pays: every column of dx looks at kernel_w / stride_w outputs.
CORTADO_INLINE bool gathers(const PoolShape& s) { return s.stride_w <= 2 && s.kernel_w <= 8 && s.oh * s.ow > 1; }

/// Floats per thread: dy (and codes) with margins.
CORTADO_INLINE int64_t gather_floats(const PoolShape& s, bool max) { return (max ? 2 : 1) * Margins(s).floats; }

/// One plane, to dx; the next one lies at this distance, if it is not 0.
template <bool kMax>
CORTADO_INLINE void gather_plane(const PoolShape& s, const Margins& margins, const float* memory, float* dx,
                                 int64_t next = 0) {
  const auto* code = reinterpret_cast<const int32_t*>(memory + margins.floats);
  with_window(s, [&]<int Stride, int Width>(Lanes<Stride, Width>) {
    if constexpr (Stride == 2) {
      if (s.pad_w % 2 != 0) return PoolGather<2, Width, 1, kMax>{s, margins, memory, code, next}.plane(dx);
    }
    if constexpr (Stride > 0) PoolGather<Stride, Width, 0, kMax>{s, margins, memory, code, next}.plane(dx);
  });
}

/// dy, code (n, c, oh, ow) -> dx (n, c, h, w).
struct MaxPoolGrad {
  Tensor dy, code, dx;
  PoolShape shape;

  explicit MaxPoolGrad(Prepare& step)
      : dy(step.in(0)), code(step.in(1)), dx(step.out(0)), shape(PoolShape::of_max_gradient(step)) {
    if (gathers(shape)) step.scratch(static_cast<size_t>(step.threads() * gather_floats(shape, true)) * sizeof(float));
  }

  void run(const Run& run) const {
    if (code.dtype == DType::i32) {
      planes(run, code.i32());
    } else {
      planes(run, code.u8());
    }
  }

 private:
  template <class Code>
  void planes(const Run& run, const Code* codes) const {
    const Margins margins(shape);
    const int64_t outputs = shape.oh * shape.ow, pixels = shape.h * shape.w;
    for_numbered_slices(run.threads, shape.planes, grain_of(pixels), [&](int thread, int64_t begin, int64_t end) {
      float* memory = static_cast<float*>(run.scratch) + thread * gather_floats(shape, true);
      if (gathers(shape)) margins.clear(memory);
      for (int64_t p = begin; p < end; ++p) {
        const float* from = dy.f32() + p * outputs;
        if (gathers(shape)) {
          margins.copy(shape, memory, from, codes + p * outputs);
          gather_plane<true>(shape, margins, memory, dx.f32() + p * pixels, pixels);
        } else {
          scatter(from, codes + p * outputs, dx.f32() + p * pixels);
        }
      }
    });
  }

  template <class Code>
  void scatter(const float* from, const Code* codes, float* to) const {
    memset(to, 0, static_cast<size_t>(shape.h * shape.w) * sizeof(float));
    for (int64_t oh = 0; oh < shape.oh; ++oh) {
      for (int64_t ow = 0; ow < shape.ow; ++ow, ++from, ++codes) {
        const int64_t r = oh * shape.stride_h - shape.pad_h + *codes / shape.kernel_w;
        const int64_t c = ow * shape.stride_w - shape.pad_w + *codes % shape.kernel_w;
        // The forward kernel's codes lie in the image; memory that holds anything else must do no harm.
        if (r >= 0 && r < shape.h && c >= 0 && c < shape.w) to[r * shape.w + c] += *from;
      }
    }
  }
};

/// dy (n, c, oh, ow) -> dx (n, c, h, w).
struct AveragePoolGrad {
  Tensor dy, dx;
  PoolShape shape;

  explicit AveragePoolGrad(Prepare& step) : dy(step.in(0)), dx(step.out(0)), shape(PoolShape::of_gradient(step)) {
    if (gathers(shape)) step.scratch(static_cast<size_t>(step.threads() * gather_floats(shape, false)) * sizeof(float));
  }

  void run(const Run& run) const {
    const Margins margins(shape);
    const int64_t outputs = shape.oh * shape.ow, pixels = shape.h * shape.w;
    for_numbered_slices(run.threads, shape.planes, grain_of(pixels), [&](int thread, int64_t begin, int64_t end) {
      float* memory = static_cast<float*>(run.scratch) + thread * gather_floats(shape, false);
      if (gathers(shape)) memset(memory, 0, static_cast<size_t>(margins.floats) * sizeof(float));
      for (int64_t p = begin; p < end; ++p) {
        if (gathers(shape)) {
          divide(margins, memory, dy.f32() + p * outputs);
          gather_plane<false>(shape, margins, memory, dx.f32() + p * pixels, pixels);
        } else {
          scatter(dy.f32() + p * outputs, dx.f32() + p * pixels);
        }
      }
    });
  }

 private:
  void divide(const Margins& margins, float* memory, const float* from) const {
    const PoolShape s = shape;
    for (int64_t ow = 0; ow < s.ow; ow += kLanes) {
      const int64_t n = s.ow - ow < kLanes ? s.ow - ow : kLanes;
      const Vi begin = (iota() + static_cast<int32_t>(ow)) * static_cast<int32_t>(s.stride_w);
      const Vf width = to_float(
          min(splat(static_cast<int32_t>(s.w + 2 * s.pad_w)) - begin, splat(static_cast<int32_t>(s.kernel_w))));
      for (int64_t oh = 0; oh < s.oh; ++oh) {
        const WindowSpan rows(oh, s.h, s.kernel_h, s.stride_h, s.pad_h);
        const Vf size = width * static_cast<float>(rows.extent);
        store_lanes(memory + oh * margins.pitch + Margins::kMargin + ow, load_lanes(from + oh * s.ow + ow, n) / size,
                    n);
      }
    }
  }

  void scatter(const float* from, float* to) const {
    memset(to, 0, static_cast<size_t>(shape.h * shape.w) * sizeof(float));
    for (int64_t oh = 0; oh < shape.oh; ++oh) {
      const WindowSpan rows(oh, shape.h, shape.kernel_h, shape.stride_h, shape.pad_h);
      for (int64_t ow = 0; ow < shape.ow; ++ow) {
        const WindowSpan columns(ow, shape.w, shape.kernel_w, shape.stride_w, shape.pad_w);
        const float share = *from++ / static_cast<float>(rows.extent * columns.extent);
        for (int64_t r = rows.first; r < rows.last; ++r) {
          float* row = to + (rows.start + r) * shape.w + columns.start;
          for (int64_t c = columns.first; c < columns.last; ++c) row[c] += share;
        }
      }
    }
  }
};

}  // namespace cortado::CORTADO_ISA
