/**
 * Policies by which a learning rate changes with the iteration: those of Caffe, and the cosine.
 * @module
 */
import { UsageError } from '../errors.js';
import { checkNumbers, checkWhole } from './numbers.js';

/** A learning rate that changes with the iteration: plain data. `rateAt` reads it; the functions below make it. */
export type Rate =
  | { readonly policy: 'fixed'; readonly base: number }
  | ({ readonly policy: 'step' } & StepOptions)
  | ({ readonly policy: 'exp' } & ExpOptions)
  | ({ readonly policy: 'inv' } & InvOptions)
  | ({ readonly policy: 'multistep' } & MultistepOptions)
  | ({ readonly policy: 'poly' } & PolyOptions)
  | ({ readonly policy: 'sigmoid' } & SigmoidOptions)
  | ({ readonly policy: 'cosine' } & Required<CosineOptions>);

/** `step`: base · gamma^floor(iteration / every). */
export interface StepOptions {
  /** First rate. */
  readonly base: number;
  readonly gamma: number;
  /** Iterations between two steps. */
  readonly every: number;
}

/** `exp`: base · gamma^iteration. */
export interface ExpOptions {
  readonly base: number;
  readonly gamma: number;
}

/** `inv`: base · (1 + gamma · iteration)^−power. */
export interface InvOptions {
  readonly base: number;
  readonly gamma: number;
  readonly power: number;
}

/** `multistep`: base · gamma, once more at each of `at`. */
export interface MultistepOptions {
  readonly base: number;
  readonly gamma: number;
  /** Iterations from which on the next step counts, in rising order. */
  readonly at: readonly number[];
}

/** `poly`: base · (1 − iteration / iterations)^power. */
export interface PolyOptions {
  readonly base: number;
  readonly power: number;
  /** Iterations of the whole training. */
  readonly iterations: number;
}

/** `sigmoid`: base / (1 + e^(−gamma · (iteration − middle))). */
export interface SigmoidOptions {
  /** The rate's limit. */
  readonly base: number;
  /** Below 0 the rate falls. */
  readonly gamma: number;
  /** Iteration at which the rate is half of `base`. */
  readonly middle: number;
}

/** `cosine`: from base to 0 along half a wave. */
export interface CosineOptions {
  /** Highest rate, reached at the end of the warm-up. */
  readonly base: number;
  /** Iterations of the whole training, the warm-up included. */
  readonly iterations: number;
  /** Iterations in which the rate rises from base / warmup to base. Default 0. */
  readonly warmup?: number;
  /** Last rate. Default 0. */
  readonly least?: number;
}

/** base, always. @throws {UsageError} */
export function fixed(base: number): Rate {
  checkNumbers('fixed', { rate: base });
  return { policy: 'fixed', base };
}

/** base · gamma^⌊iteration / every⌋. @throws {UsageError} */
export function step({ base, gamma, every }: StepOptions): Rate {
  checkNumbers('step', { base, gamma });
  checkWhole('step', { every });
  return { policy: 'step', base, gamma, every };
}

/** base · gamma^iteration. @throws {UsageError} */
export function exp({ base, gamma }: ExpOptions): Rate {
  checkNumbers('exp', { base, gamma });
  return { policy: 'exp', base, gamma };
}

/** base · (1 + gamma · iteration)^-power. @throws {UsageError} */
export function inv({ base, gamma, power }: InvOptions): Rate {
  checkNumbers('inv', { base, gamma, power });
  return { policy: 'inv', base, gamma, power };
}

/** base · gamma^steps, where a step is made at each iteration of `at`, at most one an iteration. @throws {UsageError} */
export function multistep({ base, gamma, at }: MultistepOptions): Rate {
  checkNumbers('multistep', { base, gamma });
  checkWhole('multistep', Object.fromEntries(at.map((value, i) => [`at[${i}]`, value])), 0);
  if (at.some((value, i) => i > 0 && value < at[i - 1]!))
    throw new UsageError(`multistep: expected at in rising order, got ${at.join(', ')}`);
  return { policy: 'multistep', base, gamma, at };
}

/** base · (1 - iteration / iterations)^power, 0 from then on. @throws {UsageError} */
export function poly({ base, power, iterations }: PolyOptions): Rate {
  checkNumbers('poly', { base, power });
  checkWhole('poly', { iterations });
  return { policy: 'poly', base, power, iterations };
}

/** base / (1 + exp(-gamma · (iteration - middle))). @throws {UsageError} */
export function sigmoid({ base, gamma, middle }: SigmoidOptions): Rate {
  checkNumbers('sigmoid', { base, middle });
  if (!Number.isFinite(gamma)) throw new UsageError(`sigmoid: expected gamma to be a finite number, got ${gamma}`);
  return { policy: 'sigmoid', base, gamma, middle };
}

/**
 * Rises in a straight line during the warm-up, then falls as half a cosine wave does (Loshchilov & Hutter 2017, "SGDR",
 * equation 5, one period), and stays at `least`.
 * @throws {UsageError}
 */
export function cosine({ base, iterations, warmup = 0, least = 0 }: CosineOptions): Rate {
  checkNumbers('cosine', { base, least });
  checkWhole('cosine', { iterations });
  checkWhole('cosine', { warmup }, 0);
  if (warmup > iterations) throw new UsageError(`cosine: expected warmup to be at most ${iterations}, got ${warmup}`);
  return { policy: 'cosine', base, iterations, warmup, least };
}

/** How many steps a policy has made when iteration `iteration` (from 0) updates, after `before` of them. */
export function stepsAt(rate: Rate, iteration: number, before: number): number {
  if (rate.policy === 'step') return Math.floor(iteration / rate.every);
  if (rate.policy !== 'multistep') return before;
  const next = rate.at[before];
  return next !== undefined && iteration >= next ? before + 1 : before;
}

/** The rate of iteration `iteration` (from 0) when `steps` have been made: only multistep asks. */
export function rateAt(rate: Rate, iteration: number, steps: number): number {
  switch (rate.policy) {
    case 'fixed':
      return rate.base;
    case 'step':
      return rate.base * rate.gamma ** Math.floor(iteration / rate.every);
    case 'multistep':
      return rate.base * rate.gamma ** steps;
    case 'exp':
      return rate.base * rate.gamma ** iteration;
    case 'inv':
      return rate.base * (1 + rate.gamma * iteration) ** -rate.power;
    case 'poly':
      return rate.base * Math.max(0, 1 - iteration / rate.iterations) ** rate.power;
    case 'sigmoid':
      return rate.base / (1 + Math.exp(-rate.gamma * (iteration - rate.middle)));
    case 'cosine':
      return cosineAt(rate, iteration);
  }
}

function cosineAt({ base, iterations, warmup, least }: Required<CosineOptions>, iteration: number): number {
  if (iteration < warmup) return (base * (iteration + 1)) / warmup;
  if (iteration >= iterations) return least;
  const part = (iteration - warmup) / (iterations - warmup);
  return least + ((base - least) * (1 + Math.cos(Math.PI * part))) / 2;
}
