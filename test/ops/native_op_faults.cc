// Kernels that fail in every way that they may, for native-op.test.ts.
#include <cortado/export.h>

#include <stdexcept>

namespace {

int says_why(const cortado_call* call) { return cortado_fail(call, "not today"); }
int is_silent(const cortado_call*) { return 1; }
int throws(const cortado_call*) { throw std::runtime_error("thrown today"); }
int throws_a_number(const cortado_call*) { throw 7; }
int fills_the_message(const cortado_call* call) {
  memset(call->message, 'x', CORTADO_OP_MESSAGE);
  return 1;
}

const cortado_kernel kKernels[] = {
    {CORTADO_OP_ABI, "saysWhy", says_why},
    {CORTADO_OP_ABI, "isSilent", is_silent},
    {CORTADO_OP_ABI, "throws", throws},
    {CORTADO_OP_ABI, "throwsANumber", throws_a_number},
    {CORTADO_OP_ABI, "fillsTheMessage", fills_the_message},
    {CORTADO_OP_ABI, "hasNoFunction", nullptr},
    {CORTADO_OP_ABI + 1, "isOfTomorrow", says_why},
};

}  // namespace

NAPI_MODULE_INIT() {
  for (const cortado_kernel& kernel : kKernels) cortado_export(env, exports, &kernel);
  napi_value other;
  static int number = 7;
  napi_create_external(env, &number, nullptr, nullptr, &other);
  napi_set_named_property(env, exports, "isAnother", other);
  return exports;
}
