import { constant } from '../fillers.js';
import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { count } from '../shape.js';
import { along, checkAlong, type AlongOptions } from './along.js';

/** What `scale` takes besides values and a name. */
export interface ScaleOptions extends AlongOptions {
  /** Also adds a learned tensor of the same shape. Default false. */
  readonly bias?: boolean;
}

/** y = x · weight (+ bias), both repeated over the other axes: scale_layer.cpp. */
export const scaleOp = defineOp({
  name: 'scale',

  attributes: (options: ScaleOptions, [x, weight]) => along(options, x, weight),

  parameters([x, weight], { axis, numAxes }, options) {
    const shape = x!.slice(axis, axis + numAxes);
    const own = weight ? [] : [{ name: 'weight', shape, filler: constant(1) }];
    return options.bias ? [...own, { name: 'bias', shape, filler: constant(0) }] : own;
  },

  outputs([x, weight, bias], { axis, numAxes }) {
    checkAlong(x!, weight, axis, numAxes, 'weight');
    if (bias) checkAlong(x!, bias, axis, numAxes, 'bias');
    return [{ shape: x! }];
  },

  forward: (e) => e.run('scale', e.inputs, e.outputs, e.attributes, true),

  backward(e) {
    const [x, weight, bias] = e.inputs;
    const dx = e.wants(0) ? e.temp(x!.shape) : undefined;
    if (dx) e.run('scale', [e.dy, weight], [dx]);
    const dweight = e.wants(1) ? e.temp(weight!.shape) : undefined;
    const dbias = bias && e.wants(2) ? e.temp(bias.shape) : undefined;
    if (dweight || dbias) e.run('scale_wgrad', [e.dy, dweight && x], [dweight, dbias]);
    return [dx, dweight, dbias];
  },

  flops: ([x, , bias]) => (bias ? 2 : 1) * count(x!),
});

/**
 * Multiplies `x` by a tensor that lies along some of its axes: the learned parameter `weight` (1 at first), or the value
 * `by`. With `bias` also adds the learned parameter of that name.
 * @throws {ShapeError} when it does not lie along x
 */
export function scale(x: Value, options: ScaleOptions & LayerOptions & { readonly by?: Value } = {}): Value {
  const { by, ...rest } = options;
  return layer(scaleOp, by ? [x, by] : [x], rest)[0]!;
}
