import { FormatError, UsageError } from '../errors.js';
import { decimal } from '../protobuf/float32.js';
import {
  adadelta,
  adagrad,
  adam,
  nesterov,
  rates,
  rmsprop,
  sgd,
  type Rate,
  type Solver as Rule,
  type SolverOptions,
  type PenaltyOptions,
} from '../solvers/index.js';
import { create, SolverParameter, type Solver } from './schema.js';
import { at } from './text/position.js';
import { formatText } from './text/write.js';

/** What a solver file says, beside the names of the nets. */
export interface SolverPlan {
  /** For `compile`. */
  readonly solver: Rule;
  /** Updates of the whole training; undefined when the file leaves it open. */
  readonly iterations: number | undefined;
  /** Iterations whose losses are averaged where the loss is shown. */
  readonly averageLoss: number;
  /** Of parameters and dropout; undefined: any. */
  readonly seed: number | undefined;
}

type Common = SolverOptions & PenaltyOptions;

/** Caffe's name of each solver, and the rule from its settings. */
const RULES: Readonly<Record<string, (file: Solver, common: Common) => Rule>> = {
  SGD: ({ momentum = 0 }, common) => sgd({ ...common, momentum }),
  Nesterov: ({ momentum = 0 }, common) => nesterov({ ...common, momentum }),
  AdaGrad: (file, common) => adagrad({ ...common, ...withoutMomentum(file) }),
  RMSProp: (file, common) => rmsprop({ ...common, ...withoutMomentum(file), smoothing: file.rms_decay ?? 0.99 }),
  AdaDelta: ({ momentum = 0, delta = 1e-8 }, common) => adadelta({ ...common, smoothing: momentum, epsilon: delta }),
  Adam: ({ momentum = 0, momentum2 = 0.999, delta = 1e-8 }, common) =>
    adam({ ...common, beta1: momentum, beta2: momentum2, epsilon: delta }),
};

/**
 * Turns a solver file into a solver: `compile(net.graph, { solver: importSolver(await readSolver(path)).solver })`.
 * @throws {FormatError} for solvers and policies that do not exist or lack a setting, naming file, line and column
 */
export function importSolver(file: Solver): SolverPlan {
  const { type = 'SGD', clip_gradients: clip = -1, random_seed: seed = -1 } = file;
  const rule = Object.hasOwn(RULES, type) ? RULES[type] : undefined;
  if (!rule) throw new FormatError(`${at(file)}type: expected one of ${Object.keys(RULES).join(', ')}, got "${type}"`);
  return inFile(file, () => ({
    solver: rule(file, {
      rate: rateOf(file),
      weightDecay: file.weight_decay ?? 0,
      regularization: penaltyOf(file),
      iterSize: file.iter_size ?? 1,
      ...(clip >= 0 && { clip }),
    }),
    iterations: file.max_iter,
    averageLoss: file.average_loss ?? 1,
    seed: seed < 0 ? undefined : Number(seed),
  }));
}

/** Says where the file is when a setting makes no sense. */
function inFile<T>(file: Solver, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof UsageError) throw new FormatError(`${at(file)}${error.message}`, { cause: error });
    throw error;
  }
}

function rateOf(file: Solver): Rate {
  const policy = file.lr_policy ?? missing(file, 'lr_policy');
  const base = file.base_lr ?? missing(file, 'base_lr');
  const need = (name: 'gamma' | 'power' | 'stepsize' | 'max_iter'): number => file[name] ?? missing(file, name, policy);
  switch (policy) {
    case 'fixed':
      return rates.fixed(base);
    case 'step':
      return rates.step({ base, gamma: need('gamma'), every: need('stepsize') });
    case 'exp':
      return rates.exp({ base, gamma: need('gamma') });
    case 'inv':
      return rates.inv({ base, gamma: need('gamma'), power: need('power') });
    case 'multistep':
      return rates.multistep({ base, gamma: need('gamma'), at: file.stepvalue });
    case 'poly':
      return rates.poly({ base, power: need('power'), iterations: need('max_iter') });
    case 'sigmoid':
      return rates.sigmoid({ base, gamma: need('gamma'), middle: need('stepsize') });
    default:
      throw new FormatError(
        `${at(file)}lr_policy: expected fixed, step, exp, inv, multistep, poly or sigmoid, got "${policy}"`,
      );
  }
}

function missing(file: Solver, name: string, policy?: string): never {
  throw new FormatError(`${at(file)}expected ${name}${policy ? ` for lr_policy "${policy}"` : ''}, got none`);
}

function penaltyOf(file: Solver): 'L1' | 'L2' {
  const { regularization_type: type = 'L2' } = file;
  if (type === 'L1' || type === 'L2') return type;
  throw new FormatError(`${at(file)}regularization_type: expected L1 or L2, got "${type}"`);
}

function withoutMomentum({ momentum = 0, delta = 1e-8, type }: Solver): { epsilon: number } {
  if (momentum !== 0) throw new UsageError(`momentum: expected none with ${type ?? ''}, got ${momentum}`);
  return { epsilon: delta };
}

/**
 * The reverse of `importSolver`, for `formatSolver`: all of a solver file but the names of nets and snapshots.
 * @throws {UsageError} for what Caffe does not have: adamW, the cosine
 */
export function exportSolver(plan: Pick<SolverPlan, 'solver'> & Partial<SolverPlan>): Solver {
  const { solver, iterations, averageLoss = 1, seed } = plan;
  const { weightDecay, regularization, iterSize, clip } = solver;
  return create(SolverParameter, {
    ...ruleFields(solver),
    ...rateFields(solver.rate, iterations),
    ...(weightDecay !== 0 && { weight_decay: decimal(weightDecay) }),
    ...(regularization !== 'L2' && { regularization_type: regularization }),
    ...(iterSize !== 1 && { iter_size: iterSize }),
    ...(clip !== undefined && { clip_gradients: decimal(clip) }),
    ...(averageLoss !== 1 && { average_loss: averageLoss }),
    ...(seed !== undefined && { random_seed: seed }),
  });
}

function ruleFields({ name, numbers }: Rule): Partial<Solver> {
  const { momentum = 0, epsilon = 0, smoothing = 0, beta1 = 0, beta2 = 0 } = numbers;
  const delta = decimal(epsilon);
  switch (name) {
    case 'sgd':
      return { type: 'SGD', momentum: decimal(momentum) };
    case 'nesterov':
      return { type: 'Nesterov', momentum: decimal(momentum) };
    case 'adagrad':
      return { type: 'AdaGrad', delta };
    case 'rmsprop':
      return { type: 'RMSProp', rms_decay: decimal(smoothing), delta };
    case 'adadelta':
      return { type: 'AdaDelta', momentum: decimal(smoothing), delta };
    case 'adam':
      return { type: 'Adam', momentum: decimal(beta1), momentum2: decimal(beta2), delta };
    default:
      throw new UsageError(`solver: expected one that Caffe has, got ${name}`);
  }
}

function rateFields(rate: Rate, iterations: number | undefined): Partial<Solver> {
  const max = rate.policy === 'poly' ? rate.iterations : iterations;
  if (iterations !== undefined && iterations !== max)
    throw new UsageError(`iterations: expected the ${max} that the rate falls over, got ${iterations}`);
  const common = {
    lr_policy: rate.policy,
    base_lr: decimal(rate.base),
    ...(max !== undefined && { max_iter: max }),
    ...('gamma' in rate && { gamma: decimal(rate.gamma) }),
    ...('power' in rate && { power: decimal(rate.power) }),
  };
  if (rate.policy === 'step') return { ...common, stepsize: rate.every };
  if (rate.policy === 'sigmoid') return { ...common, stepsize: rate.middle };
  if (rate.policy === 'multistep') return { ...common, stepvalue: [...rate.at] };
  if (rate.policy === 'cosine') throw new UsageError('rate: expected a policy that Caffe has, got cosine');
  return common;
}

/** A solver file's text. @throws {FormatError} */
export function formatSolver(file: Solver): string {
  return formatText(SolverParameter, file);
}
