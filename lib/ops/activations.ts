import { UsageError } from '../errors.js';
import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp, type Attributes, type Emitter, type GradientEmitter } from '../op.js';
import type { Ref } from '../program.js';
import type { Shape } from '../shape.js';

/** One element makes one element, so the result may take the place of an input that nobody reads later. */
const inPlace =
  <A extends Attributes>(kernel: string) =>
  (e: Emitter<A>): void =>
    e.run(kernel, e.inputs, e.outputs, e.attributes, true);

/** The gradient of an op of one element: a kernel that reads dy and whichever of x and y says it best. */
const gradient =
  <A extends Attributes>(kernel: string, reads: 'x' | 'y', attributes: (all: A) => Attributes = (all) => all) =>
  (e: GradientEmitter<A>): readonly Ref[] => {
    const dx = e.temp(e.inputs[0]!.shape);
    e.run(kernel, [e.dy, reads === 'x' ? e.inputs[0] : e.outputs[0]], [dx], attributes(e.attributes), true);
    return [dx];
  };

const sameShape = ([x]: readonly Shape[]) => [{ shape: x! }];

/** Refuses what is not a finite number: a NaN in an option would spread through the whole net. */
function finite<T extends Record<string, number>>(op: string, options: T): T {
  for (const [name, value] of Object.entries(options)) {
    if (!Number.isFinite(value)) throw new UsageError(`${op}: expected ${name} to be a finite number, got ${value}`);
  }
  return options;
}

/** 1 / (1 + e^-x). */
export const sigmoidOp = defineOp({
  name: 'sigmoid',
  attributes: (_: object) => ({}),
  outputs: sameShape,
  forward: inPlace('sigmoid'),
  backward: gradient('sigmoid_grad', 'y'),
});

/** Logistic function 1 / (1 + e^-x), element by element. */
export function sigmoid(x: Value, options: LayerOptions = {}): Value {
  return layer(sigmoidOp, [x], options)[0]!;
}

/** Hyperbolic tangent. */
export const tanhOp = defineOp({
  name: 'tanh',
  attributes: (_: object) => ({}),
  outputs: sameShape,
  forward: inPlace('tanh'),
  backward: gradient('tanh_grad', 'y'),
});

/** Hyperbolic tangent, element by element. */
export function tanh(x: Value, options: LayerOptions = {}): Value {
  return layer(tanhOp, [x], options)[0]!;
}

/** What `elu` takes besides values and a name. */
export interface EluOptions {
  /** The value far below zero is -alpha. Default 1. */
  readonly alpha?: number;
}

/** x where x > 0, else alpha (e^x - 1): Clevert et al. 2015. */
export const eluOp = defineOp({
  name: 'elu',
  attributes: ({ alpha = 1 }: EluOptions) => finite('elu', { alpha }),
  outputs: sameShape,
  forward: inPlace('elu'),
  backward(e) {
    const dx = e.temp(e.inputs[0]!.shape);
    e.run('elu_grad', [e.dy, e.inputs[0], e.outputs[0]], [dx], e.attributes, true);
    return [dx];
  },
});

/** Exponential linear unit: x above zero, alpha (e^x - 1) below. @throws {UsageError} when alpha is not finite */
export function elu(x: Value, options: EluOptions & LayerOptions = {}): Value {
  return layer(eluOp, [x], options)[0]!;
}

/** |x|; the gradient at exactly 0 is 0. */
export const absOp = defineOp({
  name: 'abs',
  attributes: (_: object) => ({}),
  outputs: sameShape,
  forward: inPlace('abs'),
  backward: gradient('abs_grad', 'x'),
});

/** Magnitude, element by element; its gradient at exactly 0 is 0. */
export function abs(x: Value, options: LayerOptions = {}): Value {
  return layer(absOp, [x], options)[0]!;
}

/** What `power` takes besides values and a name. */
export interface PowerOptions {
  /** Default 1. */
  readonly power?: number;
  /** Default 1. */
  readonly scale?: number;
  /** Default 0. */
  readonly shift?: number;
}

/** (scale x + shift)^power. */
export const powerOp = defineOp({
  name: 'power',
  attributes: ({ power = 1, scale = 1, shift = 0 }: PowerOptions) => finite('power', { power, scale, shift }),
  outputs: sameShape,
  forward: inPlace('power'),
  backward: gradient('power_grad', 'x'),
});

/** (scale · x + shift)^power, element by element; NaN for a fraction of a negative number. @throws {UsageError} */
export function power(x: Value, options: PowerOptions & LayerOptions = {}): Value {
  return layer(powerOp, [x], options)[0]!;
}

/** What `exp` takes besides values and a name. */
export interface ExpOptions {
  /** Default e; -1 means e too, as in Caffe. */
  readonly base?: number;
  /** Default 1. */
  readonly scale?: number;
  /** Default 0. */
  readonly shift?: number;
}

/** Natural logarithm of a base, where -1 stands for e. */
function logOfBase(op: string, base: number): number {
  if (base === -1) return 1;
  if (!(base > 0 && Number.isFinite(base)))
    throw new UsageError(`${op}: expected base to be above 0 (or -1 for e), got ${base}`);
  return Math.log(base);
}

/** base^(scale x + shift), computed as outer · e^(inner x). */
export const expOp = defineOp({
  name: 'exp',
  attributes({ base = -1, scale = 1, shift = 0 }: ExpOptions) {
    finite('exp', { scale, shift });
    const log = logOfBase('exp', base);
    return { inner: log * scale, outer: Math.exp(log * shift) };
  },
  outputs: sameShape,
  forward: inPlace('exp'),
  backward: gradient('exp_grad', 'y', ({ inner }) => ({ inner })),
});

/** base^(scale · x + shift), element by element. @throws {UsageError} when base is not above 0 */
export function exp(x: Value, options: ExpOptions & LayerOptions = {}): Value {
  return layer(expOp, [x], options)[0]!;
}

/** Logarithm of scale x + shift to a base. */
export const logOp = defineOp({
  name: 'log',
  attributes({ base = -1, scale = 1, shift = 0 }: ExpOptions) {
    finite('log', { scale, shift });
    const log = logOfBase('log', base);
    if (log === 0) throw new UsageError('log: expected base not to be 1');
    return { scale, shift, outer: 1 / log };
  },
  outputs: sameShape,
  forward: inPlace('log'),
  backward: gradient('log_grad', 'x'),
});

/** Logarithm of scale · x + shift, element by element; NaN below zero. @throws {UsageError} when base is not above 0, or 1 */
export function log(x: Value, options: ExpOptions & LayerOptions = {}): Value {
  return layer(logOp, [x], options)[0]!;
}

/** log(1 + e^x). */
export const bnllOp = defineOp({
  name: 'bnll',
  attributes: (_: object) => ({}),
  outputs: sameShape,
  forward: inPlace('bnll'),
  backward: gradient('bnll_grad', 'x'),
});

/** Binomial normal log likelihood (softplus) log(1 + e^x), element by element. */
export function bnll(x: Value, options: LayerOptions = {}): Value {
  return layer(bnllOp, [x], options)[0]!;
}

/** What `clip` takes besides values and a name. */
export interface ClipOptions {
  readonly min: number;
  readonly max: number;
}

/** x held between two bounds, which themselves let the gradient through. */
export const clipOp = defineOp({
  name: 'clip',
  attributes({ min, max }: ClipOptions) {
    if (!(min <= max)) throw new UsageError(`clip: expected min <= max, got ${min} and ${max}`);
    return { min, max };
  },
  outputs: sameShape,
  forward: inPlace('clip'),
  backward: gradient('clip_grad', 'x'),
});

/** x held between `min` and `max`, element by element. @throws {UsageError} unless min <= max */
export function clip(x: Value, options: ClipOptions & LayerOptions): Value {
  return layer(clipOp, [x], options)[0]!;
}

/** What `threshold` takes besides values and a name. */
export interface ThresholdOptions {
  /** Default 0. */
  readonly threshold?: number;
}

/** 1 where x is above the threshold, else 0; no gradient. */
export const thresholdOp = defineOp({
  name: 'threshold',
  attributes: ({ threshold: limit = 0 }: ThresholdOptions) => finite('threshold', { threshold: limit }),
  outputs: sameShape,
  forward: inPlace('threshold'),
});

/** 1 where x is above the threshold, else 0; no gradient flows back. @throws {UsageError} */
export function threshold(x: Value, options: ThresholdOptions & LayerOptions = {}): Value {
  return layer(thresholdOp, [x], options)[0]!;
}
