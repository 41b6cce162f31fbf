import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { axisOf, check, format } from '../shape.js';
import { MAX_TENSORS } from './limits.js';

/** What `concat` takes besides values and a name. */
export interface ConcatOptions {
  /** Default 1 (channels). */
  readonly axis?: number;
}

/** Joins tensors along an axis. */
export const concatOp = defineOp({
  name: 'concat',

  attributes({ axis = 1 }: ConcatOptions, inputs) {
    const index = axisOf(axis, inputs[0]!.length, 'axis');
    return { axis: index, extents: inputs.map((shape) => shape[index] ?? 0) };
  },

  outputs(inputs, { axis, extents }) {
    const [x] = inputs;
    check(inputs.length <= MAX_TENSORS, () => `expected at most ${MAX_TENSORS} inputs, got ${inputs.length}`);
    const other = inputs.find(
      (shape) => shape.length !== x!.length || shape.some((extent, i) => i !== axis && extent !== x![i]),
    );
    check(!other, () => `expected inputs that differ in axis ${axis} only, got ${format(x!)} and ${format(other!)}`);
    return [
      {
        shape: x!.with(
          axis,
          extents.reduce((a, b) => a + b, 0),
        ),
      },
    ];
  },

  forward(e) {
    if (e.inputs.length === 1) e.alias(0, e.inputs[0]!);
    else e.run('concat', e.inputs, e.outputs);
  },

  backward(e) {
    if (e.inputs.length === 1) return [e.dy];
    const dxs = e.inputs.map((x, i) => (e.wants(i) ? e.temp(x.shape) : undefined));
    e.run('slice', [e.dy], dxs);
    return dxs;
  },
});

/** Joins tensors along `axis`; their other extents must agree. @throws {ShapeError} */
export function concat(inputs: readonly [Value, ...Value[]], options: ConcatOptions & LayerOptions = {}): Value {
  return layer(concatOp, inputs, options)[0]!;
}
