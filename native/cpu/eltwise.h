// Sums, products and maxima over any number of tensors of one shape.
#pragma once

#include "../kernels/terms.h"
#include "elementwise.h"
#include "simd.h"

namespace cortado::CORTADO_ISA {

/// for_slices in whole vectors: f(i, lanes) for each vector of elements i to i + lanes.
template <class F>
CORTADO_INLINE void for_vectors(Threads& team, int64_t n, const F& f) {
  const F work = f;
  for_slices(team, (n + kLanes - 1) / kLanes, kElementGrain / kLanes, [&work, n](int64_t begin, int64_t end) {
    for (int64_t i = begin * kLanes; i < end * kLanes; i += kLanes) work(i, n - i < kLanes ? n - i : kLanes);
  });
}

/// y = sum of coefficients[i] * x[i]; y may lie over any of them.
struct Sum {
  Terms<> terms;
  float coefficient[kMaxTerms];
  float* y;

  explicit Sum(Prepare& step) : terms(step, 0, step.inputs()), y(step.out(0).f32()) {
    double values[kMaxTerms];
    const int given = step.list("coefficients", values, kMaxTerms);
    step.expect(given == terms.count && holds(step.out(0), terms.n), "a coefficient for every tensor and a sum");
    for (int i = 0; i < given; ++i) coefficient[i] = static_cast<float>(values[i]);
  }

  void run(const Run& run) const {
    const Sum* const s = this;
    float* const to = y;
    if (terms.count == 2) {
      const float *const a = terms.x[0], *const b = terms.x[1];
      const Vf ca = splat(coefficient[0]), cb = splat(coefficient[1]);
      for_vectors(run.threads, terms.n, [=](int64_t i, int64_t lanes) {
        store_lanes(to + i, fma(cb, load_lanes(b + i, lanes), ca * load_lanes(a + i, lanes)), lanes);
      });
      return;
    }
    for_vectors(run.threads, terms.n, [=](int64_t i, int64_t lanes) {
      Vf sum = splat(s->coefficient[0]) * load_lanes(s->terms.x[0] + i, lanes);
      for (int t = 1; t < s->terms.count; ++t) {
        sum = fma(splat(s->coefficient[t]), load_lanes(s->terms.x[t] + i, lanes), sum);
      }
      store_lanes(to + i, sum, lanes);
    });
  }
};

struct EltwiseProd {
  Terms<> terms;
  float* y;

  explicit EltwiseProd(Prepare& step) : terms(step, 0, step.inputs()), y(step.out(0).f32()) {
    step.expect(holds(step.out(0), terms.n), "tensors of one size");
  }

  void run(const Run& run) const {
    const Terms<>* const t = &terms;
    float* const to = y;
    for_vectors(run.threads, terms.n, [=](int64_t i, int64_t lanes) {
      Vf product = load_lanes(t->x[0] + i, lanes);
      for (int k = 1; k < t->count; ++k) product *= load_lanes(t->x[k] + i, lanes);
      store_lanes(to + i, product, lanes);
    });
  }
};

/// Inputs dy, y (read unless `stable`), then the factors; one output per factor. Stable: the product of the others.
/// Else y / x, which is NaN where x is 0, as in Caffe.
struct EltwiseProdGrad {
  Terms<> terms;
  const float *dy, *y;
  float* dx[kMaxTerms];
  int64_t stable;

  explicit EltwiseProdGrad(Prepare& step)
      : terms(step, 2, step.inputs() - 2), dy(step.in(0).f32()), y(step.in(1).f32()), stable(step.integer("stable")) {
    step.expect(holds(step.in(0), terms.n) && (stable || holds(step.in(1), terms.n)), "tensors of one size");
    for (int i = 0; i < terms.count; ++i) {
      step.expect(may_hold(step.out(i), terms.n), "tensors of one size");
      dx[i] = step.out(i).f32();
    }
  }

  void run(const Run& run) const {
    const EltwiseProdGrad* const s = this;
    for_vectors(run.threads, terms.n, [=](int64_t i, int64_t lanes) {
      const Vf d = load_lanes(s->dy + i, lanes);
      for (int k = 0; k < s->terms.count; ++k) {
        if (s->dx[k]) store_lanes(s->dx[k] + i, d * s->others(k, i, lanes), lanes);
      }
    });
  }

 private:
  CORTADO_INLINE Vf others(int k, int64_t i, int64_t lanes) const {
    if (!stable) return load_lanes(y + i, lanes) / load_lanes(terms.x[k] + i, lanes);
    Vf product = splat(1.0f);
    for (int j = 0; j < terms.count; ++j) {
      if (j != k) product *= load_lanes(terms.x[j] + i, lanes);
    }
    return product;
  }
};

/// Outputs y and, for the gradient, the number of the winner (i32). Caffe's ties (eltwise_layer.cpp): of the first two
/// the second wins, a later one must be strictly larger.
struct EltwiseMax {
  Terms<> terms;
  float* y;
  int32_t* winner;

  explicit EltwiseMax(Prepare& step) : terms(step, 0, step.inputs()), y(step.out(0).f32()), winner(step.out(1).i32()) {
    const bool fits = may_hold(step.out(0), terms.n) && may_hold(step.out(1), terms.n, DType::i32);
    step.expect(fits, "tensors of one size");
  }

  void run(const Run& run) const {
    const EltwiseMax* const s = this;
    for_vectors(run.threads, terms.n, [=](int64_t i, int64_t lanes) {
      Vf most = load_lanes(s->terms.x[0] + i, lanes);
      Vi best = splat(int32_t{0});
      for (int k = 1; k < s->terms.count; ++k) {
        const Vf x = load_lanes(s->terms.x[k] + i, lanes);
        const Vi stays = k == 1 ? most > x : ~(x > most);
        most = select(stays, most, x);
        best = select(stays, best, splat(static_cast<int32_t>(k)));
      }
      if (s->y) store_lanes(s->y + i, most, lanes);
      if (s->winner) store_part(s->winner + i, best, lanes);
    });
  }
};

/// Inputs dy, winner; one output per term.
struct EltwiseMaxGrad {
  const float* dy;
  const int32_t* winner;
  float* dx[kMaxTerms];
  int count;
  int64_t n;

  explicit EltwiseMaxGrad(Prepare& step)
      : dy(step.in(0).f32()), winner(step.in(1).i32()), count(step.outputs()), n(step.in(0).size()) {
    step.expect(count <= kMaxTerms, "at most 256 tensors");
    step.expect(holds(step.in(0), n) && holds(step.in(1), n, DType::i32), "tensors of one size");
    for (int i = 0; i < count; ++i) {
      step.expect(may_hold(step.out(i), n), "tensors of one size");
      dx[i] = step.out(i).f32();
    }
  }

  void run(const Run& run) const {
    const EltwiseMaxGrad* const s = this;
    for_vectors(run.threads, n, [=](int64_t i, int64_t lanes) {
      const Vf d = load_lanes(s->dy + i, lanes);
      const Vi best = load_part(s->winner + i, lanes);
      for (int k = 0; k < s->count; ++k) {
        if (s->dx[k]) store_lanes(s->dx[k] + i, select(best == splat(static_cast<int32_t>(k)), d, zero()), lanes);
      }
    });
  }
};

}  // namespace cortado::CORTADO_ISA
