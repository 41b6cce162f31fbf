export * as rates from './rates.js';
export type { Rate } from './rates.js';
export {
  adadelta,
  adagrad,
  adam,
  adamW,
  nesterov,
  rmsprop,
  sgd,
  type AdadeltaOptions,
  type AdagradOptions,
  type AdamOptions,
  type AdamWOptions,
  type RmspropOptions,
  type SgdOptions,
} from './rules.js';
export type { PenaltyOptions, Solver, SolverOptions } from './solver.js';
export type { SolverState } from './training.js';
