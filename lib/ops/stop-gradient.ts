import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';

/** The same value, through which no gradient flows. */
export const stopGradientOp = defineOp({
  name: 'stopGradient',
  attributes: (_: object) => ({}),
  outputs: ([x]) => [{ shape: x! }],
  forward: (e) => e.alias(0, e.inputs[0]!),
});

/** `x`, but gradients do not flow back through it. */
export function stopGradient(x: Value, options: LayerOptions = {}): Value {
  return layer(stopGradientOp, [x], options)[0]!;
}
