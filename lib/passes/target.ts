/** What a device can do beyond the kernels that every device has: passes read this, and never ask which device it is. */
export interface Target {
  /** Kernels that a pass may put in place of others. */
  readonly kernels: ReadonlySet<string>;
}

/** native/cpu/list.h. */
export const CPU: Target = {
  kernels: new Set([
    ...['conv2d_filters', 'conv2d_packed', 'conv2d_bf16', 'conv2d_bf16_filters', 'conv2d_bf16_wgrad'],
    ...['dense_bf16', 'dense_bf16_dgrad', 'dense_bf16_wgrad', 'to_bf16'],
    ...['dense_int8', 'to_int8'],
    ...['lrn_maxPool', 'lrn_maxPool_grad'],
    'non_finite_product',
    ...['winograd_filters', 'conv2d_winograd', 'conv2d_winograd_dgrad', 'conv2d_winograd_wgrad'],
  ]),
};

/** A device that has every kernel of native/kernels/list.h, and no more. */
export const PLAIN: Target = { kernels: new Set() };
