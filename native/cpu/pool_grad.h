// Max and average pooling, backward. With small windows and strides 1 and 2, every row of dx gathers from the outputs
// whose windows cover it, kLanes columns at a time; otherwise every output adds to the pixels of its window.
#pragma once

#include "../kernels/window.h"
#include "pool.h"
#include "simd.h"
#include "slices.h"

namespace cortado::CORTADO_ISA {

/// One plane of dy between margins, so that windows that do not exist read as zero: row oh, column ow is at
/// (oh * pitch + margin + ow). Codes lie behind it the same way, as int32; -1 is no tap.
struct Margins {
  int64_t margin, pitch, floats;
  explicit Margins(const PoolShape& s)
      : margin((s.kernel_w - 1) / s.stride_w),
        pitch(margin + (s.w - 1 + s.pad_w) / s.stride_w + 1 + kLanes),
        floats(padded(s.oh * pitch)) {
    if (pitch < margin + s.ow) pitch = margin + s.ow, floats = padded(s.oh * pitch);
  }

  void clear(float* memory) const {
    memset(memory, 0, static_cast<size_t>(floats) * sizeof(float));
    memset(memory + floats, 0xff, static_cast<size_t>(floats) * sizeof(float));
  }

  /// Brings a plane of dy and its codes in.
  template <class Code>
  void copy(const PoolShape& s, float* memory, const float* from, const Code* codes) const {
    auto* wide = reinterpret_cast<int32_t*>(memory + floats);
    for (int64_t oh = 0; oh < s.oh; ++oh) {
      const int64_t to = oh * pitch + margin, at = oh * s.ow;
      for (int64_t ow = 0; ow < s.ow; ow += kLanes) {
        const int64_t n = s.ow - ow < kLanes ? s.ow - ow : kLanes;
        store_lanes(memory + to + ow, load_lanes(from + at + ow, n), n);
        const Vi tap = load_codes(codes + at + ow, n);
        n == kLanes ? store(wide + to + ow, tap) : store_part(wide + to + ow, tap, n);
      }
    }
  }
};

/// One plane of dx, gathered. `dy` and `code` have margins; `line` holds a row of dx, over-long on both sides.
template <int Stride, int Width, bool kMax>
struct PoolGather {
  const PoolShape& s;
  const Margins& margins;
  const float* dy;
  const int32_t* code;
  float* line;

  void plane(float* dx) const {
    for (int64_t h = 0; h < s.h; ++h) {
      const int64_t reach = h + s.pad_h;
      const int64_t first = reach < s.kernel_h ? 0 : (reach - s.kernel_h) / s.stride_h + 1;
      const int64_t end = reach / s.stride_h + 1 < s.oh ? reach / s.stride_h + 1 : s.oh;
      row(reach, first, end);
      float* to = dx + h * s.w;
      for (int64_t j = 0; j < s.w; j += kLanes) {
        store_lanes(to + j, load(line + s.pad_w + j), s.w - j < kLanes ? s.w - j : kLanes);
      }
    }
  }

 private:
  /// Columns Stride * j + phase of the padded row `reach`, from the outputs [first, end).
  CORTADO_INLINE void row(int64_t reach, int64_t first, int64_t end) const {
    const int64_t columns = (s.w - 1 + s.pad_w) / Stride + 1;
    for (int64_t j = 0; j < columns; j += kLanes) {
      Vf sums[Stride] = {};
      for (int64_t oh = first; oh < end; ++oh) {
        const int64_t at = oh * margins.pitch + margins.margin + j;
        const auto tap = static_cast<int32_t>((reach - oh * s.stride_h) * s.kernel_w);
#pragma GCC unroll 3
        for (int c = 0; c < (Width > 0 ? Width : static_cast<int>(s.kernel_w)); ++c) {
          const Vf value = load(dy + at - c / Stride);
          if constexpr (kMax) {
            sums[c % Stride] += from_bits(bits(value) & (load(code + at - c / Stride) == splat(tap + c)));
          } else {
            sums[c % Stride] += value;
          }
        }
      }
      if constexpr (Stride == 1) {
        store(line + j, sums[0]);
      } else {
        store(line + 2 * j, interleave<0>(sums[0], sums[1], AllLanes{}));
        store(line + 2 * j + kLanes, interleave<1>(sums[0], sums[1], AllLanes{}));
      }
    }
  }
};

/// Whether gathering pays: every column of dx looks at kernel_w / stride_w outputs.
CORTADO_INLINE bool gathers(const PoolShape& s) { return s.stride_w <= 2 && s.kernel_w <= 8 && s.oh * s.ow > 1; }

/// Floats per thread: dy (and codes) with margins, and a row of dx.
CORTADO_INLINE int64_t gather_floats(const PoolShape& s, bool max) {
  return (max ? 2 : 1) * Margins(s).floats + padded(s.w + s.pad_w + 4 * kLanes);
}

template <bool kMax>
CORTADO_INLINE void gather_plane(const PoolShape& s, const Margins& margins, float* memory, float* dx) {
  const auto* code = reinterpret_cast<const int32_t*>(memory + margins.floats);
  float* line = memory + (kMax ? 2 : 1) * margins.floats;
  with_window(s, [&]<int Stride, int Width>(Lanes<Stride, Width>) {
    if constexpr (Stride > 0) PoolGather<Stride, Width, kMax>{s, margins, memory, code, line}.plane(dx);
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
          gather_plane<true>(shape, margins, memory, dx.f32() + p * pixels);
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
          gather_plane<false>(shape, margins, memory, dx.f32() + p * pixels);
        } else {
          scatter(dy.f32() + p * outputs, dx.f32() + p * pixels);
        }
      }
    });
  }

 private:
  void divide(const Margins& margins, float* memory, const float* from) const {
    for (int64_t oh = 0; oh < shape.oh; ++oh) {
      const WindowSpan rows(oh, shape.h, shape.kernel_h, shape.stride_h, shape.pad_h);
      float* to = memory + oh * margins.pitch + margins.margin;
      for (int64_t ow = 0; ow < shape.ow; ++ow) {
        const WindowSpan columns(ow, shape.w, shape.kernel_w, shape.stride_w, shape.pad_w);
        to[ow] = *from++ / static_cast<float>(rows.extent * columns.extent);
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
