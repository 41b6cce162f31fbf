// Accuracy and argmax: what is asked of scores, without a gradient.
#pragma once

#include "../kernels/labels.h"
#include "channels.h"
#include "slices.h"

namespace cortado::CORTADO_ISA {

/// scores, label -> share of rows whose true class is among the top k, and the same for each class. Ties count against
/// the true class, and so does a NaN; a label that names no class is wrong. Scratch: one verdict a row.
struct Accuracy {
  const float *scores, *label;
  float *accuracy, *per_class;
  ClassAxis shape;
  int64_t top_k;
  bool ignores;
  int64_t ignored;

  explicit Accuracy(Prepare& step)
      : scores(step.in(0).f32()),
        label(step.in(1).f32()),
        accuracy(step.out(0).f32()),
        per_class(step.out(1).f32()),
        shape(step, step.in(0)),
        top_k(step.integer("topK")) {
    step.expect(holds(step.in(1), shape.rows()) && may_hold(step.out(0), 1) && may_hold(step.out(1), shape.classes),
                "a label for every place, one share and one for every class");
    double value[1] = {};
    ignores = step.list("ignoreLabel", value, 1) == 1;
    ignored = static_cast<int64_t>(value[0]);
    step.scratch(static_cast<size_t>(shape.rows()) + static_cast<size_t>(shape.classes + 1) * sizeof(int64_t));
  }

  void run(const Run& run) const {
    auto* counts = static_cast<int64_t*>(run.scratch);
    auto* right = reinterpret_cast<uint8_t*>(counts + shape.classes);
    for_slices(run.threads, shape.rows(), grain_of(shape.classes), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) right[row] = in_top(row, label_of(label[row]));
    });
    tell(right, counts);
  }

 private:
  bool in_top(int64_t row, int64_t k) const {
    if (!shape.has(k)) return false;
    const float* first = scores + shape.at(row, 0);
    const float own = first[k * shape.inner];
    int64_t better = -1;  // the true class itself is not below itself
    for (int64_t c = 0; c < shape.classes && better < top_k; ++c) better += !(first[c * shape.inner] < own);
    return better < top_k;
  }

  void tell(const uint8_t* right, int64_t* counts) const {
    int64_t all = 0, hits = 0;
    memset(counts, 0, static_cast<size_t>(shape.classes) * sizeof(int64_t));
    if (per_class) memset(per_class, 0, static_cast<size_t>(shape.classes) * sizeof(float));
    for (int64_t row = 0; row < shape.rows(); ++row) {
      const int64_t k = label_of(label[row]);
      if (ignores && k == ignored) continue;
      ++all;
      hits += right[row];
      if (!per_class || !shape.has(k)) continue;
      ++counts[k];
      per_class[k] += right[row];
    }
    if (accuracy)
      *accuracy = all == 0 ? 0.0f : static_cast<float>(static_cast<double>(hits) / static_cast<double>(all));
    if (!per_class) return;
    for (int64_t k = 0; k < shape.classes; ++k) {
      if (counts[k] > 0) per_class[k] /= static_cast<float>(counts[k]);
    }
  }
};

/// Indices, values or both (in this order) of the k largest along some axes of x, the classes: Caffe's ArgMax. Of equal
/// elements the last comes first; NaN is below every number. Scratch: k candidates a thread.
struct Argmax {
  const float* x;
  float* y;
  Channels shape;
  int64_t k, indices, values;

  explicit Argmax(Prepare& step)
      : x(step.in(0).f32()),
        y(step.out(0).f32()),
        shape(channels_along(step, step.in(0))),
        k(step.integer("topK")),
        indices(step.integer("indices")),
        values(step.integer("values")) {
    step.expect(k > 0 && k <= shape.channels, "a rank among the classes");
    step.expect((indices | values) == 1, "indices, values or both");
    step.expect(holds(step.out(0), shape.each() * k * (indices + values)), "places for what is found");
    step.scratch(static_cast<size_t>(step.threads() * k) * sizeof(int64_t));
  }

  void run(const Run& run) const {
    const int64_t inner = shape.inner, rows = shape.outer * inner;
    for_numbered_slices(run.threads, rows, grain_of(shape.channels), [&](int thread, int64_t begin, int64_t end) {
      auto* best = static_cast<int64_t*>(run.scratch) + thread * k;
      for (int64_t row = begin; row < end; ++row) {
        const float* first = x + row / inner * shape.channels * inner + row % inner;
        select_best(first, best);
        write(first, best, y + row / inner * (indices + values) * k * inner + row % inner);
      }
    });
  }

 private:
  /// Whether b belongs behind a, which comes earlier in the row.
  static bool keeps(float a, float b) { return a > b || (b != b && a == a); }

  void select_best(const float* first, int64_t* best) const {
    int64_t n = 0;
    for (int64_t c = 0; c < shape.channels; ++c) {
      const float v = first[c * shape.inner];
      if (n == k && keeps(first[best[k - 1] * shape.inner], v)) continue;
      int64_t at = n < k ? n++ : k - 1;
      for (; at > 0 && !keeps(first[best[at - 1] * shape.inner], v); --at) best[at] = best[at - 1];
      best[at] = c;
    }
  }

  void write(const float* first, const int64_t* best, float* to) const {
    for (int64_t i = 0; i < k; ++i) {
      if (indices) to[i * shape.inner] = static_cast<float>(best[i]);
      if (values) to[(indices ? k + i : i) * shape.inner] = first[best[i] * shape.inner];
    }
  }
};

}  // namespace cortado::CORTADO_ISA
