/* Hands kernels to JavaScript, which hands them to Cortado. */
#ifndef CORTADO_EXPORT_H
#define CORTADO_EXPORT_H

#include <node_api.h>

#include "op.h"

/* By this, Cortado tells a kernel from what else an addon may export. */
static const napi_type_tag cortado_kernel_tag = {0x636f727461646f6fULL, 0x706b65726e656c00ULL};

/* Exports a kernel under its name. Call it when the addon is initialized; what it returns is napi_ok or what went
 * wrong. */
static inline napi_status cortado_export(napi_env env, napi_value exports, const cortado_kernel* kernel) {
  napi_value value;
  napi_status status = napi_create_external(env, (void*)kernel, NULL, NULL, &value);
  if (status == napi_ok) status = napi_type_tag_object(env, value, &cortado_kernel_tag);
  if (status == napi_ok) status = napi_set_named_property(env, exports, kernel->name, value);
  return status;
}

#endif /* CORTADO_EXPORT_H */
