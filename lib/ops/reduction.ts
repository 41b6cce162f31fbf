import { UsageError } from '../errors.js';
import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { axisOf, check, count } from '../shape.js';

/** The first three in the order of Reduce in native/cpu/reduction.h. */
const OPERATIONS = ['sum', 'asum', 'sumsq', 'mean'] as const;

/** What becomes of the numbers: their sum, that of their magnitudes or squares, or their mean. */
export type ReductionOperation = (typeof OPERATIONS)[number];

/** What `reduction` takes besides values and a name. */
export interface ReductionOptions {
  /** Sum, sum of magnitudes, sum of squares or mean. Default `sum`. */
  readonly operation?: ReductionOperation;
  /** This axis and all behind it are reduced. Default 0: everything. */
  readonly axis?: number;
  /** Factor of the result. Default 1. */
  readonly coefficient?: number;
}

/** Reduces the last axes to one number for each element of the others. */
export const reductionOp = defineOp({
  name: 'reduction',

  attributes({ operation = 'sum', axis = 0, coefficient = 1 }: ReductionOptions, [x]) {
    check(
      OPERATIONS.includes(operation),
      () => `expected operation to be one of ${OPERATIONS.join(', ')}, got ${operation}`,
    );
    if (!Number.isFinite(coefficient))
      throw new UsageError(`reduction: expected coefficient to be a finite number, got ${coefficient}`);
    const first = x!.length === 0 ? 0 : axisOf(axis, x!.length, 'axis');
    const mean = operation === 'mean';
    return {
      operation: mean ? 0 : OPERATIONS.indexOf(operation),
      axis: first,
      coefficient: mean ? coefficient / count(x!, first) : coefficient,
    };
  },

  outputs: ([x], { axis }) => [{ shape: x!.slice(0, axis) }],

  forward(e) {
    const { operation, coefficient } = e.attributes;
    e.run('reduction', e.inputs, e.outputs, { operation, coefficient });
  },

  backward(e) {
    const { operation, coefficient } = e.attributes;
    const dx = e.temp(e.inputs[0]!.shape);
    e.run('reduction_grad', [e.dy, operation === 0 ? undefined : e.inputs[0]], [dx], { operation, coefficient });
    return [dx];
  },

  flops: ([x]) => count(x!),
});

/** Reduces `axis` and all axes behind it; result: the axes before it. @throws {ShapeError | UsageError} */
export function reduction(x: Value, options: ReductionOptions & LayerOptions = {}): Value {
  return layer(reductionOp, [x], options)[0]!;
}
