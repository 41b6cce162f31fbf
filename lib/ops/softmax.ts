import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { axisOf, count } from '../shape.js';

/** What `softmax` takes besides values and a name. */
export interface SoftmaxOptions {
  /** The axis of the classes. Default 1. */
  readonly axis?: number;
}

/** e^(x − max x) / Σ e^(x − max x) along one axis. */
export const softmaxOp = defineOp({
  name: 'softmax',
  attributes: ({ axis = 1 }: SoftmaxOptions, [x]) => ({ axis: axisOf(axis, x!.length, 'axis') }),
  outputs: ([x]) => [{ shape: x! }],
  backward(e) {
    const dx = e.temp(e.inputs[0]!.shape);
    e.run('softmax_grad', [e.dy, e.outputs[0]], [dx]);
    return [dx];
  },
  // A maximum, a difference, an exponential (counted as one), a sum and a quotient.
  flops: ([x]) => 5 * count(x!),
});

/** Softmax of `x` along `axis`; the result has its shape. */
export function softmax(x: Value, options: SoftmaxOptions & LayerOptions = {}): Value {
  return layer(softmaxOp, [x], options)[0]!;
}
