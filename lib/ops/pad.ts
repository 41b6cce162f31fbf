import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { check } from '../shape.js';

/** What `pad` takes besides values and a name. */
export interface PadOptions {
  /** Zeros in front of each axis: one number an axis, outermost first. */
  readonly before: readonly number[];
  /** Zeros behind each axis. */
  readonly after: readonly number[];
}

/** Zeros around a tensor. */
export const padOp = defineOp({
  name: 'pad',

  attributes({ before, after }: PadOptions, [x]) {
    for (const [what, list] of Object.entries({ before, after }))
      check(
        list.length === x!.length && list.every((n) => Number.isSafeInteger(n) && n >= 0),
        () => `expected ${what} to be ${x!.length} whole numbers of at least 0, got ${list.join(', ')}`,
      );
    return { before, after };
  },

  outputs: ([x], { before, after }) => [{ shape: x!.map((extent, i) => before[i]! + extent + after[i]!) }],

  // To put a box among zeros is the gradient of cutting it out.
  forward: (e) => e.run('crop_grad', e.inputs, e.outputs, { offsets: e.attributes.before }),

  backward(e) {
    const dx = e.temp(e.inputs[0]!.shape);
    e.run('crop', [e.dy], [dx], { offsets: e.attributes.before });
    return [dx];
  },
});

/** `x` with zeros around it: `before[i]` in front of axis i and `after[i]` behind it. @throws {ShapeError} */
export function pad(x: Value, options: PadOptions & LayerOptions): Value {
  return layer(padOp, [x], options)[0]!;
}
