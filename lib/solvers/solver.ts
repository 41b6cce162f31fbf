import { UsageError } from '../errors.js';
import type { Parameter } from '../graph.js';
import type { Attributes } from '../op.js';
import { checkNumbers, checkWhole } from './numbers.js';
import { fixed, type Rate } from './rates.js';

/** A rule that turns gradients into new parameters, inside the plan of the step. */
export interface Solver {
  /** Its name, and its kernel's: inputs gradient, pace, clip factor, parameter, slots; outputs parameter, slots. */
  readonly name: string;
  /** Tensors of history per parameter. */
  readonly slots: number;
  readonly rate: Rate;
  /** Runs whose gradients are added up and averaged before an update. */
  readonly iterSize: number;
  /** Largest norm of all gradients together, summed over the runs of an iteration; undefined: any. */
  readonly clip: number | undefined;
  /** Factor of the penalty on the size of the weights. */
  readonly weightDecay: number;
  /** Whether that is of their squares or of their magnitudes. */
  readonly regularization: 'L2' | 'L1';
  /** Its own numbers, by the names of its options: momentum, epsilon and the like. */
  readonly numbers: Readonly<Record<string, number>>;
  /** What its kernel needs to know of a parameter. */
  attributes(parameter: Parameter): Attributes;
  /** Two factors that change with the iteration, which counts from 0. */
  factors(iteration: number): readonly [number, number];
}

/** What every solver takes. */
export interface SolverOptions {
  /** Learning rate: a number, or a policy such as `step({ base: 0.01, gamma: 0.1, every: 100_000 })`. */
  readonly rate: number | Rate;
  /** Scales all gradients down when their common L2 norm is larger. Default: never. */
  readonly clip?: number;
  /** Runs (calls of `step`) per iteration: their gradients are averaged, the last one updates. Default 1. */
  readonly iterSize?: number;
}

/** A penalty on the size of the weights, times each parameter's `decay`. */
export interface PenaltyOptions {
  /** Default 0. */
  readonly weightDecay?: number;
  /** L2: of the squares; L1: of the magnitudes. Default L2. */
  readonly regularization?: 'L2' | 'L1';
}

/** What makes a solver the one it is. */
interface Rule {
  readonly name: string;
  readonly slots: number;
  /** Numbers that its kernel reads, besides those of every solver. */
  readonly numbers: Readonly<Record<string, number>>;
  /** More of them that depend on the parameter. */
  attributes?(parameter: Parameter): Attributes;
  factors?(iteration: number): readonly [number, number];
}

/** Checks what every solver takes and puts a solver together. @throws {UsageError} */
export function makeSolver(rule: Rule, options: SolverOptions & PenaltyOptions): Solver {
  const { name, slots, numbers } = rule;
  const { clip, iterSize = 1, weightDecay = 0, regularization = 'L2' } = options;
  if (typeof options.rate === 'number') checkNumbers(name, { rate: options.rate });
  const rate = typeof options.rate === 'number' ? fixed(options.rate) : options.rate;
  checkNumbers(name, { weightDecay });
  checkWhole(name, { iterSize });
  if (clip !== undefined && !(Number.isFinite(clip) && clip > 0))
    throw new UsageError(`${name}: expected clip to be a finite number above 0, got ${clip}`);
  if (!['L1', 'L2'].includes(regularization))
    throw new UsageError(`${name}: expected regularization to be L1 or L2, got ${regularization}`);
  return {
    name,
    slots,
    rate,
    iterSize,
    clip,
    weightDecay,
    regularization,
    numbers,
    attributes: (parameter) => ({
      ...numbers,
      rate: parameter.rate,
      share: 1 / iterSize,
      l1: regularization === 'L1' ? weightDecay * parameter.decay : 0,
      l2: regularization === 'L2' ? weightDecay * parameter.decay : 0,
      ...rule.attributes?.(parameter),
    }),
    factors: rule.factors?.bind(rule) ?? (() => [1, 1]),
  };
}
