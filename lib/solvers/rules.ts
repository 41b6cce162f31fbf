import { checkFractions, checkNumbers } from './numbers.js';
import { makeSolver, type PenaltyOptions, type Solver, type SolverOptions } from './solver.js';

export interface SgdOptions extends SolverOptions, PenaltyOptions {
  /** Default 0. */
  readonly momentum?: number;
}

export interface AdagradOptions extends SolverOptions, PenaltyOptions {
  /** Keeps the divisor off zero; joins the root. Default 1e-8. */
  readonly epsilon?: number;
}

export interface RmspropOptions extends AdagradOptions {
  /** How much of the mean of squares stays, each iteration. Default 0.99. */
  readonly smoothing?: number;
}

export interface AdadeltaOptions extends Omit<SolverOptions, 'rate'>, PenaltyOptions {
  /** Default 1. */
  readonly rate?: SolverOptions['rate'];
  /** How much of the two means of squares stays, each iteration. Default 0.95. */
  readonly smoothing?: number;
  /** Joins the means, inside the root. Default 1e-6. */
  readonly epsilon?: number;
}

interface MomentOptions extends SolverOptions {
  /** How much of the mean gradient stays, each iteration. Default 0.9. */
  readonly beta1?: number;
  /** How much of the mean of squares stays. Default 0.999. */
  readonly beta2?: number;
  /** Keeps the divisor off zero; joins the root. Default 1e-8. */
  readonly epsilon?: number;
}

export interface AdamOptions extends MomentOptions, PenaltyOptions {}

/** What `adamW` takes. */
export interface AdamWOptions extends MomentOptions {
  /** Share of a weight that goes with each iteration, times the rate and the parameter's `decay`. Default 0.01. */
  readonly weightDecay?: number;
}

/**
 * Stochastic gradient descent with momentum as Caffe does it: g += decay · w, h = momentum · h + rate · g, w -= h. The
 * rate sits inside the history, so that a falling rate acts on new gradients alone.
 * @throws {UsageError}
 */
export function sgd(options: SgdOptions): Solver {
  return withMomentum('sgd', options);
}

/** Nesterov's accelerated gradient as Caffe does it: w -= (1 + momentum) · h − momentum · (h before). @throws {UsageError} */
export function nesterov(options: SgdOptions): Solver {
  return withMomentum('nesterov', options);
}

function withMomentum(name: string, options: SgdOptions): Solver {
  const { momentum = 0 } = options;
  checkNumbers(name, { momentum });
  return makeSolver({ name, slots: 1, numbers: { momentum } }, options);
}

/** AdaGrad (Duchi, Hazan & Singer 2011): divides by the root of the sum of all squared gradients. @throws {UsageError} */
export function adagrad(options: AdagradOptions): Solver {
  const { epsilon = 1e-8 } = options;
  checkNumbers('adagrad', { epsilon });
  return makeSolver({ name: 'adagrad', slots: 1, numbers: { epsilon } }, options);
}

/** RMSProp (Tieleman & Hinton 2012): divides by the root of a moving mean of squared gradients. @throws {UsageError} */
export function rmsprop(options: RmspropOptions): Solver {
  const { smoothing = 0.99, epsilon = 1e-8 } = options;
  checkFractions('rmsprop', { smoothing });
  checkNumbers('rmsprop', { epsilon });
  return makeSolver({ name: 'rmsprop', slots: 1, numbers: { smoothing, epsilon } }, options);
}

/** AdaDelta (Zeiler 2012): the ratio of the means of squared updates and squared gradients. @throws {UsageError} */
export function adadelta(options: AdadeltaOptions = {}): Solver {
  const { rate = 1, smoothing = 0.95, epsilon = 1e-6 } = options;
  checkFractions('adadelta', { smoothing });
  checkNumbers('adadelta', { epsilon });
  return makeSolver({ name: 'adadelta', slots: 2, numbers: { smoothing, epsilon } }, { ...options, rate });
}

/**
 * Adam (Kingma & Ba 2015) as Caffe does it: epsilon is added before the correction of the bias. The penalty is part of
 * the gradient; for weight decay beside it, see adamW.
 * @throws {UsageError}
 */
export function adam(options: AdamOptions): Solver {
  const numbers = moments('adam', options);
  return makeSolver(
    {
      name: 'adam',
      slots: 2,
      numbers,
      factors: (iteration) => {
        const [mean, square] = biases(numbers, iteration);
        return [Math.sqrt(square) / mean, 1];
      },
    },
    options,
  );
}

/**
 * Adam with decoupled weight decay (Loshchilov & Hutter 2019): w -= rate · (m̂ / (√v̂ + epsilon) + weightDecay · w), m̂ and
 * v̂ corrected for their bias.
 * @throws {UsageError}
 */
export function adamW({ weightDecay = 0.01, ...options }: AdamWOptions): Solver {
  const numbers = moments('adamW', options);
  checkNumbers('adamW', { weightDecay });
  const solver = makeSolver(
    {
      name: 'adamW',
      slots: 2,
      numbers,
      attributes: (parameter) => ({ decay: weightDecay * parameter.decay }),
      factors: (iteration) => {
        const [mean, square] = biases(numbers, iteration);
        return [1 / mean, 1 / Math.sqrt(square)];
      },
    },
    options,
  );
  return { ...solver, weightDecay };
}

interface Moments extends Readonly<Record<string, number>> {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

function moments(name: string, options: MomentOptions): Moments {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options;
  checkFractions(name, { beta1, beta2 });
  checkNumbers(name, { epsilon });
  return { beta1, beta2, epsilon };
}

/** How far the two moments, which began at 0, have come; from the same float32 numbers that the kernel has. */
function biases({ beta1, beta2 }: Moments, iteration: number): [mean: number, square: number] {
  return [1 - Math.fround(beta1) ** (iteration + 1), 1 - Math.fround(beta2) ** (iteration + 1)];
}
