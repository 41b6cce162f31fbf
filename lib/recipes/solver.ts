import {
  adadelta,
  adagrad,
  adam,
  adamW,
  nesterov,
  rates,
  rmsprop,
  sgd,
  type PenaltyOptions,
  type Solver,
  type SolverOptions,
} from '../solvers/index.js';
import type { Choices, Optimizer } from './choices.js';

/** A rate that suits each from scratch. */
const RATES: Readonly<Record<Optimizer, number>> = {
  sgd: 0.01,
  nesterov: 0.01,
  adagrad: 0.01,
  rmsprop: 1e-4,
  adadelta: 1,
  adam: 1e-4,
  adamW: 1e-4,
};

type Common = SolverOptions & PenaltyOptions;

const RULES: Readonly<Record<Optimizer, (common: Common, momentum: number | undefined) => Solver>> = {
  sgd: (common, momentum = 0.9) => sgd({ ...common, momentum }),
  nesterov: (common, momentum = 0.9) => nesterov({ ...common, momentum }),
  adagrad: (common) => adagrad(common),
  rmsprop: (common) => rmsprop(common),
  adadelta: (common) => adadelta(common),
  adam: (common) => adam(common),
  adamW: ({ regularization: _, ...common }) => adamW(common),
};

const WEIGHT_DECAY = 5e-4;
/** Share of the iterations in which the rate rises. */
const WARM_UP = 0.05;
/** Layers that are trained already are to change less. */
const GENTLER = 0.1;

/** What choices say of the solver, and what suits where they say nothing. @throws {UsageError} */
export function solverFor(choices: Choices, iterations: number, finetune: boolean): Solver {
  // Plain gradients are slow to leave the start of a deep net, and a new layer's first ones, which are large, run away with
  // the layers below: momentum goes on with them.
  const name = choices.optimizer ?? 'adam';
  const base = choices.rate ?? RATES[name] * (finetune ? GENTLER : 1);
  const warmup = Math.floor(WARM_UP * iterations);
  const rate = choices.schedule === 'fixed' ? rates.fixed(base) : rates.cosine({ base, iterations, warmup });
  const weightDecay = choices.weightDecay ?? (name === 'adamW' ? undefined : WEIGHT_DECAY);
  return RULES[name]({ rate, ...(weightDecay !== undefined && { weightDecay }) }, choices.momentum);
}
