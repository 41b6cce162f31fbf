// Where the elements are that concat, slice and crop move.
#pragma once

#include "checks.h"
#include "formula.h"

namespace cortado::CORTADO_ISA {

/// How many tensors one concat joins or one slice makes.
constexpr int kMaxParts = 256;

/// Parts of a whole along one axis: part k is `outer` runs of width[k] elements, the whole has runs of
/// `width_of_whole`.
template <class T = float>
struct Parts {
  T* part[kMaxParts];
  int64_t width[kMaxParts];
  T* whole;
  int64_t outer, width_of_whole;
  int count;

  /// `reads_parts` says which side the step's inputs are; parts that the step would write may be absent.
  Parts(Prepare& step, bool reads_parts, DType dtype = DType::f32)
      : count(reads_parts ? step.inputs() : step.outputs()) {
    const Tensor named = reads_parts ? step.out(0) : step.in(0), all = named.stored();
    const int64_t named_axis = step.integer("axis");
    double extents[kMaxParts];
    const int given = step.list("extents", extents, kMaxParts);
    step.expect(holds(all, all.size(), dtype) && named_axis >= 0 && named_axis < all.rank && given == count,
                "an extent for every part");
    const int axis = named.stored_axis(static_cast<int>(named_axis));
    whole = static_cast<T*>(all.data);
    outer = all.count(0, axis);
    width_of_whole = all.count(axis, all.rank);
    int64_t total = 0;
    for (int k = 0; k < count; ++k) {
      const Tensor one = reads_parts ? step.in(k) : step.out(k);
      part[k] = static_cast<T*>(one.data);
      step.expect(extents[k] >= 0 && extents[k] <= static_cast<double>(all.dim[axis]), "parts within the whole");
      width[k] = static_cast<int64_t>(extents[k]) * all.count(axis + 1, all.rank);
      total += width[k];
      step.expect(reads_parts ? holds(one, outer * width[k], dtype) : may_hold(one, outer * width[k], dtype),
                  "parts of their extent");
    }
    step.expect(total == width_of_whole, "parts that make up the whole");
  }
};

/// A box inside a larger tensor: rows of `width` elements, `start(row)` is where row `row` of the box begins.
struct Box {
  int64_t dim[kMaxRank], stride[kMaxRank], offset, rows, width;
  int rank;

  Box(Prepare& step, const Tensor& large, const Tensor& small, DType dtype = DType::f32) : offset(0), rank(small.rank) {
    double offsets[kMaxRank];
    const int given = step.list("offsets", offsets, kMaxRank);
    step.expect(given == rank && large.rank == rank, "an offset for every axis");
    step.expect(holds(large, large.size(), dtype) && holds(small, small.size(), dtype) && small.size() > 0,
                "a box and its whole");
    for (int i = 0; i < rank; ++i) {
      const auto room = static_cast<double>(large.dim[i] - small.dim[i]);
      step.expect(offsets[i] >= 0 && offsets[i] <= room, "a box within the whole");
      dim[i] = small.dim[i];
      stride[i] = large.count(i + 1, rank);
      offset += static_cast<int64_t>(offsets[i]) * stride[i];
    }
    width = rank > 0 ? dim[rank - 1] : 1;
    rows = small.size() / width;
  }

  CORTADO_FORMULA int64_t start(int64_t row) const {
    int64_t at = offset;
    for (int i = rank - 2; i >= 0; --i) {
      at += row % dim[i] * stride[i];
      row /= dim[i];
    }
    return at;
  }
};

}  // namespace cortado::CORTADO_ISA
