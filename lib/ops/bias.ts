import { constant } from '../fillers.js';
import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { count } from '../shape.js';
import { along, checkAlong, type AlongOptions } from './along.js';

/** y = x + bias, repeated over the other axes: bias_layer.cpp. */
export const biasOp = defineOp({
  name: 'bias',
  attributes: (options: AlongOptions, [x, bias]) => along(options, x, bias),
  parameters: ([x, bias], { axis, numAxes }) =>
    bias ? [] : [{ name: 'bias', shape: x!.slice(axis, axis + numAxes), filler: constant(0) }],
  outputs([x, bias], { axis, numAxes }) {
    checkAlong(x!, bias, axis, numAxes, 'bias');
    return [{ shape: x! }];
  },
  forward: (e) => e.run('bias', e.inputs, e.outputs, e.attributes, true),
  backward(e) {
    const dbias = e.wants(1) ? e.temp(e.inputs[1]!.shape) : undefined;
    if (dbias) e.run('scale_wgrad', [e.dy, undefined], [undefined, dbias]);
    return [e.dy, dbias];
  },
  flops: ([x]) => count(x!),
});

/**
 * Adds to `x` a tensor that lies along some of its axes: the learned parameter `bias` (0 at first), or the value `by`.
 * @throws {ShapeError} when it does not lie along x
 */
export function bias(x: Value, options: AlongOptions & LayerOptions & { readonly by?: Value } = {}): Value {
  const { by, ...rest } = options;
  return layer(biasOp, by ? [x, by] : [x], rest)[0]!;
}
