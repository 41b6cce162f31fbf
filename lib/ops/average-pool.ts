import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { count } from '../shape.js';
import { poolAttributes, pooled, windowOnly, type PoolOptions } from './pool.js';

/**
 * Mean of each window. The divisor is the window's extent clipped to the image and its padding: padding counts as zeros,
 * the overhang of a rounded-up last window does not count (pooling_layer.cpp).
 */
export const averagePoolOp = defineOp({
  name: 'averagePool',
  attributes: (options: PoolOptions, [x]) => poolAttributes(options, x),
  outputs: ([x], a) => [{ shape: pooled(x, a) }],
  forward: (e) => e.run('averagePool', e.inputs, e.outputs, windowOnly(e.attributes)),
  backward(e) {
    const dx = e.temp(e.inputs[0]!.shape);
    e.run('averagePool_grad', [e.dy], [dx], windowOnly(e.attributes));
    return [dx];
  },
  flops: (_, [y], { kernelH, kernelW }) => count(y!) * kernelH * kernelW,
});

/**
 * Average pooling of `x` (N, C, H, W); result (N, C, H', W'), H' = ceil((H + 2 pad − kernel) / stride) + 1 as in Caffe.
 * @throws {ShapeError} when a window would lie wholly outside the image
 */
export function averagePool(x: Value, options: PoolOptions & LayerOptions): Value {
  return layer(averagePoolOp, [x], options)[0]!;
}
