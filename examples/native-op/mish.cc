// Mish (Misra 2019), x * tanh(log(1 + e^x)), and its gradient, as an addon for Cortado. docs/custom-ops.md builds it.
#include <cmath>

#include <cortado/export.h>

namespace {

// What the threads of one call share.
struct Rows {
  const float* x;
  const float* dy;
  float* out;
  float beta;
};

int mish(const cortado_call* call) {
  const cortado_tensor &x = call->inputs[0], &y = call->outputs[0];
  if (!y.data) return 0;  // nobody reads it
  Rows rows{x.data, nullptr, y.data, static_cast<float>(cortado_number(call, "beta", 1))};
  const auto work = [](void* context, int64_t begin, int64_t end) {
    const Rows& r = *static_cast<const Rows*>(context);
    for (int64_t i = begin; i < end; ++i) r.out[i] = r.x[i] * std::tanh(std::log1p(std::exp(r.beta * r.x[i])));
  };
  call->parallel(call, cortado_size(&x), 4096, work, &rows);
  return 0;
}

int mish_grad(const cortado_call* call) {
  const cortado_tensor &x = call->inputs[0], &dy = call->inputs[1], &dx = call->outputs[0];
  if (cortado_size(&x) != cortado_size(&dy)) return cortado_fail(call, "expected a gradient for every element");
  Rows rows{x.data, dy.data, dx.data, static_cast<float>(cortado_number(call, "beta", 1))};
  const auto work = [](void* context, int64_t begin, int64_t end) {
    const Rows& r = *static_cast<const Rows*>(context);
    for (int64_t i = begin; i < end; ++i) {
      const float e = std::exp(-r.beta * r.x[i]), t = std::tanh(std::log1p(1 / e));
      r.out[i] = r.dy[i] * (t + r.x[i] * (1 - t * t) * r.beta / (1 + e));
    }
  };
  call->parallel(call, cortado_size(&x), 4096, work, &rows);
  return 0;
}

const cortado_kernel kMish = {CORTADO_OP_ABI, "mish", mish};
const cortado_kernel kMishGrad = {CORTADO_OP_ABI, "mishGrad", mish_grad};

}  // namespace

NAPI_MODULE_INIT() {
  if (cortado_export(env, exports, &kMish) != napi_ok || cortado_export(env, exports, &kMishGrad) != napi_ok)
    napi_throw_error(env, nullptr, "mish: cannot be exported");
  return exports;
}
