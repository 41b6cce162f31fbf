import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { check } from '../shape.js';
import { MAX_TENSORS } from './limits.js';

/** What `split` takes besides values and a name. */
export interface SplitOptions {
  /** Number of copies. Default 2. */
  readonly parts?: number;
}

/** The same tensor several times; the gradient is the sum of what comes back. */
export const splitOp = defineOp({
  name: 'split',
  attributes({ parts = 2 }: SplitOptions) {
    check(
      Number.isSafeInteger(parts) && parts > 0 && parts <= MAX_TENSORS,
      () => `expected parts between 1 and ${MAX_TENSORS}, got ${parts}`,
    );
    return { parts };
  },
  outputs: ([x], { parts }) => Array.from({ length: parts }, () => ({ shape: x! })),
  forward: (e) => e.outputs.forEach((_, i) => e.alias(i, e.inputs[0]!)),
  backward(e) {
    const dys = e.dys.filter((dy) => dy !== undefined);
    if (dys.length === 1) return dys;
    const dx = e.temp(e.inputs[0]!.shape);
    e.run('sum', dys, [dx], { coefficients: dys.map(() => 1) }, true);
    return [dx];
  },
});

/** `parts` names for one tensor. Reading a value twice does the same; this exists for nets that write it out. @throws {ShapeError} */
export function split(x: Value, options: SplitOptions & LayerOptions = {}): readonly Value[] {
  return layer(splitOp, [x], options);
}
