import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { axisOf, check, count, format } from '../shape.js';

/** What `flatten` takes besides values and a name. */
export interface FlattenOptions {
  /** First axis to join. Default 1. */
  readonly axis?: number;
  /** Last axis to join. Default -1, the last. */
  readonly endAxis?: number;
}

/** Joins a range of axes into one. */
export const flattenOp = defineOp({
  name: 'flatten',
  attributes({ axis = 1, endAxis = -1 }: FlattenOptions, [x]) {
    const first = axisOf(axis, x!.length, 'axis');
    const last = axisOf(endAxis, x!.length, 'endAxis');
    check(first <= last, () => `expected axis at or before endAxis, got ${axis} and ${endAxis} for ${format(x!)}`);
    return { axis: first, endAxis: last };
  },
  outputs: ([x], { axis, endAxis }) => [
    { shape: [...x!.slice(0, axis), count(x!, axis, endAxis + 1), ...x!.slice(endAxis + 1)] },
  ],
  forward: (e) => e.alias(0, e.inputs[0]!),
  backward: (e) => [e.view(e.dy, e.inputs[0]!.shape)],
});

/** Joins axes `axis` to `endAxis` (both included) into one: (N, C, H, W) becomes (N, C · H · W). @throws {ShapeError} */
export function flatten(x: Value, options: FlattenOptions & LayerOptions = {}): Value {
  return layer(flattenOp, [x], options)[0]!;
}
