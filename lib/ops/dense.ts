import { constant, xavier } from '../fillers.js';
import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { axisOf, check, count, format } from '../shape.js';

/** What `dense` takes besides values and a name. */
export interface DenseOptions {
  /** Outputs per row. */
  readonly units: number;
  /** Axes from here on are one row's inputs. Default 1. */
  readonly axis?: number;
  /** The weight is stored inputs × units instead of units × inputs. Default false. */
  readonly transpose?: boolean;
  /** Default true. */
  readonly bias?: boolean;
}

/** Inner product of every row of x with every row of the weight: Caffe's InnerProduct. */
export const denseOp = defineOp({
  name: 'dense',

  attributes(options: DenseOptions, [x]) {
    check(
      Number.isSafeInteger(options.units) && options.units > 0,
      () => `expected units to be a whole number of at least 1, got ${options.units}`,
    );
    return { axis: axisOf(options.axis ?? 1, x!.length, 'axis'), transpose: options.transpose ? 1 : 0, relu: 0 };
  },

  parameters([x], { axis, transpose }, { units, bias }) {
    const inputs = count(x!, axis);
    const weight = { name: 'weight', shape: transpose ? [inputs, units] : [units, inputs], filler: xavier() };
    return bias === false ? [weight] : [weight, { name: 'bias', shape: [units], filler: constant(0) }];
  },

  infer: ([, weight, bias]) => ({ units: bias?.[0] ?? weight?.[0] ?? 0, bias: bias !== undefined }),

  outputs([x, weight, bias], { axis, transpose }) {
    check(weight?.length === 2, () => `expected a weight of 2 axes, got ${format(weight ?? [])}`);
    const [units, inputs] = transpose ? [weight[1]!, weight[0]!] : [weight[0]!, weight[1]!];
    check(
      count(x!, axis) === inputs,
      () => `expected ${inputs} inputs a row for weight ${format(weight)}, got ${count(x!, axis)} of ${format(x!)}`,
    );
    check(!bias || count(bias) === units, () => `expected bias (${units}), got ${format(bias!)}`);
    return [{ shape: [...x!.slice(0, axis), units] }];
  },

  backward(e) {
    const [x, weight, bias] = e.inputs;
    const { axis, transpose } = e.attributes;
    const dx = e.wants(0) ? e.temp(x!.shape) : undefined;
    if (dx) e.run('dense_dgrad', [e.dy, weight], [dx], { axis, transpose });
    const dweight = e.wants(1) ? e.temp(weight!.shape) : undefined;
    const dbias = bias && e.wants(2) ? e.temp(bias.shape) : undefined;
    if (dweight || dbias) e.run('dense_wgrad', [x, e.dy], [dweight, dbias], { axis, transpose });
    return [dx, dweight, dbias];
  },

  flops: ([x], [y], { axis }) => 2 * count(y!) * count(x!, axis),
});

/**
 * Fully connected layer; result (…axes before `axis`, units).
 * Parameters: `weight` (units, inputs) or (inputs, units) with `transpose`, `bias` (units).
 * @throws {ShapeError}
 */
export function dense(x: Value, options: DenseOptions & LayerOptions): Value {
  return layer(denseOp, [x], options)[0]!;
}
