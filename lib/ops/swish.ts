import { UsageError } from '../errors.js';
import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';

/** What `swish` takes besides values and a name. */
export interface SwishOptions {
  /** Steepness of the gate; 0 makes it x / 2, large values make it ReLU. Default 1. */
  readonly beta?: number;
}

/** x / (1 + e^(-beta x)): Ramachandran et al. 2017, "Searching for activation functions". */
export const swishOp = defineOp({
  name: 'swish',

  attributes({ beta = 1 }: SwishOptions) {
    if (!Number.isFinite(beta)) throw new UsageError(`swish: expected beta to be a finite number, got ${beta}`);
    return { beta };
  },

  outputs: ([x]) => [{ shape: x! }],

  backward(e) {
    const [x] = e.inputs;
    const dx = e.temp(x!.shape);
    e.run('swish_grad', [e.dy, x, e.outputs[0]], [dx], e.attributes, true);
    return [dx];
  },
});

/** Swish (SiLU for beta 1), element by element. @throws {UsageError} when beta is not finite */
export function swish(x: Value, options: SwishOptions & LayerOptions = {}): Value {
  return layer(swishOp, [x], options)[0]!;
}
