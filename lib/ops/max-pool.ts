import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { count } from '../shape.js';
import { poolAttributes, pooled, windowOnly, type PoolOptions } from './pool.js';

/** What `maxPool` takes besides values and a name. */
export interface MaxPoolOptions extends PoolOptions {
  /** Gives a second result: where in its plane, row · W + column, each maximum was found. Default false. */
  readonly mask?: boolean;
}

/** Taps that a byte can number. */
const BYTE = 256;

/**
 * Maximum of each window; padding never wins, of equal elements the first in row-major order takes the gradient, and NaN
 * loses to every number. The gradient remembers each maximum by its tap in the window.
 */
export const maxPoolOp = defineOp({
  name: 'maxPool',

  attributes: (options: MaxPoolOptions, [x]) => ({ ...poolAttributes(options, x), mask: options.mask ? 1 : 0 }),

  outputs([x], a) {
    const shape = pooled(x, a);
    const tap = { shape, dtype: a.kernelH * a.kernelW <= BYTE ? 'u8' : 'i32', saved: true } as const;
    return a.mask ? [{ shape }, { shape }, tap] : [{ shape }, tap];
  },

  forward(e) {
    const [y, mask, tap] = e.attributes.mask ? e.outputs : [e.outputs[0], undefined, e.outputs[1]];
    e.run('maxPool', e.inputs, [y, mask, tap], windowOnly(e.attributes));
  },

  backward(e) {
    const dx = e.temp(e.inputs[0]!.shape);
    const dy = e.dys[0];
    if (!dy) return [undefined];
    e.run('maxPool_grad', [dy, e.outputs.at(-1)], [dx], windowOnly(e.attributes));
    return [dx];
  },

  flops: (_, [y], { kernelH, kernelW }) => count(y!) * kernelH * kernelW,
});

/**
 * Max pooling of `x` (N, C, H, W); result (N, C, H', W'), H' = ceil((H + 2 pad − kernel) / stride) + 1 as in Caffe.
 * @throws {ShapeError} when a window would lie wholly outside the image
 */
export function maxPool(x: Value, options: Omit<MaxPoolOptions, 'mask'> & LayerOptions): Value {
  return layer(maxPoolOp, [x], options)[0]!;
}

/** The same with a second result: the index, row · W + column, of each maximum in its plane. No gradient flows through it. */
export function maxPoolWithMask(
  x: Value,
  options: PoolOptions & LayerOptions,
): { readonly y: Value; readonly mask: Value } {
  const [y, mask] = layer(maxPoolOp, [x], { ...options, mask: true });
  return { y: y!, mask: mask! };
}
