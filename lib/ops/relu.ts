import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { count } from '../shape.js';

/** What `relu` takes besides values and a name. */
export interface ReluOptions {
  /** Factor below zero. Default 0. */
  readonly slope?: number;
}

/** max(x, 0) + slope · min(x, 0); the gradient at exactly 0 is slope · dy, as in Caffe (relu_layer.cpp). */
export const reluOp = defineOp({
  name: 'relu',
  attributes: ({ slope = 0 }: ReluOptions) => ({ slope }),
  outputs: ([x]) => [{ shape: x! }],
  forward: (e) => e.run('relu', e.inputs, e.outputs, e.attributes, true),
  backward(e) {
    const dx = e.temp(e.inputs[0]!.shape);
    // The result has the sign of x unless the slope is negative: reading it instead lets x be forgotten (or never written).
    const sign = e.attributes.slope >= 0 ? e.outputs[0] : e.inputs[0];
    e.run('relu_grad', [e.dy, sign], [dx], e.attributes, true);
    return [dx];
  },
  flops: ([x]) => count(x!),
});

/** Rectified linear unit, element by element. */
export function relu(x: Value, options: ReluOptions & LayerOptions = {}): Value {
  return layer(reluOp, [x], options)[0]!;
}
