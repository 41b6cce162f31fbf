/*
 * Kernels of one's own, in C or C++, for ops that an application defines: docs/custom-ops.md shows how. Plain C, so
 * that an addon and Cortado may come from different compilers. What is here stays as it is within a version of the ABI.
 */
#ifndef CORTADO_OP_H
#define CORTADO_OP_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Grows with any change that a kernel built before would not survive. */
#define CORTADO_OP_ABI 1

/* Bytes of a message, the zero at its end included. */
#define CORTADO_OP_MESSAGE 256

/* float32 in C order, in memory that stays where it is for one call. An output that nobody reads has no data (NULL). */
typedef struct cortado_tensor {
  float* data;
  const int64_t* shape;
  int32_t rank;
} cortado_tensor;

/* A number or list of numbers of the op. */
typedef struct cortado_attribute {
  const char* name;
  const double* values;
  size_t count;
} cortado_attribute;

/* Does items [begin, end). */
typedef void (*cortado_work)(void* context, int64_t begin, int64_t end);

/* One call of a kernel, on a thread of Cortado's own: JavaScript must not be touched. */
typedef struct cortado_call {
  const cortado_tensor* inputs;
  size_t input_count;
  const cortado_tensor* outputs;
  size_t output_count;
  const cortado_attribute* attributes;
  size_t attribute_count;
  /* Has the threads of the run do [0, count), in contiguous parts that hang on their number alone: the same bits each
   * time. Fewer than 2 * grain items stay on this thread. `work` must not throw. */
  void (*parallel)(const struct cortado_call* call, int64_t count, int64_t grain, cortado_work work, void* context);
  /* Where a call that fails says why: CORTADO_OP_MESSAGE bytes. */
  char* message;
  void* internal;
} cortado_call;

/* Fills the outputs and returns 0; anything else fails the run, with the message. */
typedef int (*cortado_run)(const cortado_call* call);

/* What an addon exports; lives as long as the addon. */
typedef struct cortado_kernel {
  uint32_t abi; /* CORTADO_OP_ABI */
  const char* name;
  cortado_run run;
} cortado_kernel;

/* Number of elements. */
static inline int64_t cortado_size(const cortado_tensor* tensor) {
  int64_t size = 1;
  for (int32_t i = 0; i < tensor->rank; ++i) size *= tensor->shape[i];
  return size;
}

/* The attribute's first number, or `otherwise` where there is none of that name. */
static inline double cortado_number(const cortado_call* call, const char* name, double otherwise) {
  for (size_t i = 0; i < call->attribute_count; ++i) {
    const cortado_attribute* attribute = &call->attributes[i];
    if (attribute->count > 0 && strcmp(attribute->name, name) == 0) return attribute->values[0];
  }
  return otherwise;
}

/* Says why a call fails: return cortado_fail(call, "…"). */
static inline int cortado_fail(const cortado_call* call, const char* message) {
  snprintf(call->message, CORTADO_OP_MESSAGE, "%s", message);
  return 1;
}

#ifdef __cplusplus
}
#endif

#endif /* CORTADO_OP_H */
