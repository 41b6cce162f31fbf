import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { check, format } from '../shape.js';

/** Picks entries of the first axis by number. */
export const batchReindexOp = defineOp({
  name: 'batchReindex',

  attributes: (_: object) => ({}),

  outputs([x, numbers]) {
    check(numbers?.length === 1, () => `expected numbers of 1 axis, got ${format(numbers ?? [])}`);
    check(x!.length > 0, () => 'expected an input with a first axis, got a scalar');
    return [{ shape: x!.with(0, numbers[0]!) }];
  },

  forward: (e) => e.run('take_rows', [e.inputs[1], e.inputs[0]], e.outputs, {}),

  backward(e) {
    if (!e.wants(0)) return [];
    const dx = e.temp(e.inputs[0]!.shape);
    e.run('take_rows_grad', [e.inputs[1], e.dy], [dx], {});
    return [dx];
  },
});

/**
 * Entry numbers[i] of `x` as entry i of the result: picks, repeats and reorders images of a batch. A number that is no entry
 * of x gives NaN. No gradient flows to the numbers.
 * @throws {ShapeError} unless `numbers` has one axis
 */
export function batchReindex(x: Value, numbers: Value, options: LayerOptions = {}): Value {
  return layer(batchReindexOp, [x, numbers], options)[0]!;
}
