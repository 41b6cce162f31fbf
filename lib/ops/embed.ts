import { constant, xavier } from '../fillers.js';
import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { check, count, format } from '../shape.js';

/** What `embed` takes besides values and a name. */
export interface EmbedOptions {
  /** Number of rows: inputs are whole numbers from 0 to rows - 1. */
  readonly rows: number;
  /** Numbers in a row. */
  readonly units: number;
  /** Default true. */
  readonly bias?: boolean;
}

/** A table's row for each whole number: a dense layer of one-hot inputs. */
export const embedOp = defineOp({
  name: 'embed',

  attributes({ rows, units }: EmbedOptions) {
    for (const [what, value] of Object.entries({ rows, units })) {
      check(
        Number.isSafeInteger(value) && value > 0,
        () => `expected ${what} to be a whole number of at least 1, got ${value}`,
      );
    }
    return {};
  },

  parameters(_, __, { rows, units, bias }) {
    const weight = { name: 'weight', shape: [rows, units], filler: xavier() };
    return bias === false ? [weight] : [weight, { name: 'bias', shape: [units], filler: constant(0) }];
  },

  infer: ([, weight]) => (weight?.length === 2 ? { rows: weight[0]!, units: weight[1]! } : {}),

  outputs([x, weight, bias]) {
    check(weight?.length === 2, () => `expected a weight of 2 axes, got ${format(weight ?? [])}`);
    check(!bias || count(bias) === weight[1], () => `expected bias (${weight[1]}), got ${format(bias!)}`);
    return [{ shape: [...x!, weight[1]!] }];
  },

  forward: (e) => e.run('take_rows', e.inputs, e.outputs, {}),

  backward(e) {
    const [x, weight, bias] = e.inputs;
    const dweight = e.wants(1) ? e.temp(weight!.shape) : undefined;
    const dbias = bias && e.wants(2) ? e.temp(bias.shape) : undefined;
    if (dweight || dbias) e.run('take_rows_grad', [x, e.dy], [dweight, dbias], {});
    return [undefined, dweight, dbias];
  },
});

/**
 * A row of a table for each whole number in `x`; result (…axes of x, units). A number outside 0…rows - 1 gives a row of NaN.
 * Parameters: `weight` (rows, units), `bias` (units). No gradient flows to x.
 * @throws {ShapeError}
 */
export function embed(x: Value, options: EmbedOptions & LayerOptions): Value {
  return layer(embedOp, [x], options)[0]!;
}
