import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp, type Emitter } from '../op.js';
import { check, count } from '../shape.js';

/** What `dropout` takes besides values and a name. */
export interface DropoutOptions {
  /** Share of elements that become 0 in training. Default 0.5. */
  readonly ratio?: number;
}

type DropoutAttributes = { readonly ratio: number };

/** Nothing to draw: the result is the input. */
const idle = (e: Emitter<DropoutAttributes>): boolean => e.phase === 'test' || e.attributes.ratio === 0;

/**
 * Inverted dropout: in training x / (1 − ratio) or 0, in test x itself, both ways. The mask is not stored: the gradient draws
 * the run's random numbers again.
 */
export const dropoutOp = defineOp({
  name: 'dropout',
  attributes({ ratio = 0.5 }: DropoutOptions): DropoutAttributes {
    check(ratio >= 0 && ratio < 1, () => `expected a ratio of at least 0 and below 1, got ${ratio}`);
    return { ratio };
  },
  outputs: ([x]) => [{ shape: x! }],
  forward(e) {
    if (idle(e)) e.alias(0, e.inputs[0]!);
    else e.run('dropout', [e.inputs[0], e.random()], e.outputs, { ...e.attributes, stream: e.index }, true);
  },
  backward(e) {
    if (idle(e)) return [e.dy];
    const dx = e.temp(e.inputs[0]!.shape);
    e.run('dropout', [e.dy, e.random()], [dx], { ...e.attributes, stream: e.index }, true);
    return [dx];
  },
  flops: ([x]) => count(x!),
});

/**
 * Dropout (Srivastava et al. 2014). The mask follows from the seed, the number of the run and the layer's place in its graph.
 * @throws {ShapeError} for a ratio outside [0, 1)
 */
export function dropout(x: Value, options: DropoutOptions & LayerOptions = {}): Value {
  return layer(dropoutOp, [x], options)[0]!;
}
