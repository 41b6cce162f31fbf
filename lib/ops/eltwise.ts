import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp, type Attributes, type GradientEmitter } from '../op.js';
import type { Ref } from '../program.js';
import { check, format, same, type Shape } from '../shape.js';
import { MAX_TENSORS } from './limits.js';

const OPERATIONS = ['sum', 'prod', 'max'] as const;

/** What `eltwise` takes besides values and a name. */
export interface EltwiseOptions {
  /** Default `sum`. */
  readonly operation?: (typeof OPERATIONS)[number];
  /** Factors of a sum, one per input. Default 1 each. */
  readonly coefficients?: readonly number[];
  /**
   * How the gradient of a product is found: true multiplies the other inputs, false divides the result by the input, which
   * is faster for many inputs and NaN where one is 0. Default true.
   */
  readonly stableGradient?: boolean;
}

/** Sum, product or maximum of tensors of one shape. */
export const eltwiseOp = defineOp({
  name: 'eltwise',

  attributes(options: EltwiseOptions, inputs) {
    const { operation = 'sum', coefficients = inputs.map(() => 1), stableGradient = true } = options;
    check(
      OPERATIONS.includes(operation),
      () => `expected operation to be one of ${OPERATIONS.join(', ')}, got ${operation}`,
    );
    check(
      operation === 'sum' || options.coefficients === undefined,
      () => `expected coefficients with sum only, got them with ${operation}`,
    );
    check(
      coefficients.length === inputs.length,
      () => `expected one coefficient for each of ${inputs.length} inputs, got ${coefficients.length}`,
    );
    check(coefficients.every(Number.isFinite), () => `expected finite coefficients, got ${coefficients.join(', ')}`);
    return { operation: OPERATIONS.indexOf(operation), coefficients, stable: stableGradient ? 1 : 0 };
  },

  outputs(inputs, { operation }) {
    const [x] = inputs;
    check(
      inputs.length > 0 && inputs.length <= MAX_TENSORS,
      () => `expected 1 to ${MAX_TENSORS} inputs, got ${inputs.length}`,
    );
    const other = inputs.find((shape) => !same(shape, x!));
    check(!other, () => `expected inputs of one shape, got ${format(x!)} and ${format(other!)}`);
    const winner = { shape: x!, dtype: 'i32', saved: true } as const;
    return OPERATIONS[operation] === 'max' ? [{ shape: x! }, winner] : [{ shape: x! }];
  },

  forward(e) {
    const { operation, coefficients } = e.attributes;
    const name = OPERATIONS[operation];
    if (name === 'sum') e.run('sum', e.inputs, e.outputs, { coefficients }, true);
    else if (name === 'prod') e.run('eltwise_prod', e.inputs, e.outputs, {}, true);
    else e.run('eltwise_max', e.inputs, e.outputs, {});
  },

  backward(e) {
    const { operation, coefficients, stable } = e.attributes;
    if (OPERATIONS[operation] === 'sum') return sumGradients(e, coefficients);
    const dxs = e.inputs.map((x, i) => (e.wants(i) ? e.temp(x.shape) : undefined));
    if (OPERATIONS[operation] === 'prod') {
      e.run('eltwise_prod_grad', [e.dy, stable ? undefined : e.outputs[0], ...e.inputs], dxs, { stable });
    } else e.run('eltwise_max_grad', [e.dy, e.outputs[1]], dxs, {});
    return dxs;
  },
});

/** dy itself where the coefficient is 1; one product for all inputs that share another. */
function sumGradients<A extends Attributes>(
  e: GradientEmitter<A>,
  coefficients: readonly number[],
): (Ref | undefined)[] {
  const scaled = new Map<number, Ref>([[1, e.dy]]);
  return e.inputs.map((x: { readonly shape: Shape }, i) => {
    if (!e.wants(i)) return undefined;
    const coefficient = coefficients[i]!;
    let dx = scaled.get(coefficient);
    if (!dx) {
      scaled.set(coefficient, (dx = e.temp(x.shape)));
      e.run('sum', [e.dy], [dx], { coefficients: [coefficient] });
    }
    return dx;
  });
}

/**
 * Combines tensors of one shape element by element. Ties of `max`: of the first two inputs the second wins (and takes the
 * gradient), a later one must be strictly larger.
 * @throws {ShapeError} when shapes differ, or coefficients do not match the inputs
 */
export function eltwise(inputs: readonly [Value, ...Value[]], options: EltwiseOptions & LayerOptions = {}): Value {
  return layer(eltwiseOp, inputs, options)[0]!;
}

/** a + b. @throws {ShapeError} when shapes differ */
export function add(a: Value, b: Value, options: LayerOptions = {}): Value {
  return eltwise([a, b], options);
}
