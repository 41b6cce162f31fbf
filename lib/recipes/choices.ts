import type { CompileOptions } from '../compile.js';
import type { LoaderOptions } from '../data/index.js';

export const OPTIMIZERS = ['sgd', 'nesterov', 'adagrad', 'rmsprop', 'adadelta', 'adam', 'adamW'] as const;
/** A rule that turns gradients into updates. */
export type Optimizer = (typeof OPTIMIZERS)[number];

/** What may be said of a training without a solver file. What is left out is chosen so that it learns. */
export interface Choices extends Pick<CompileOptions, 'device' | 'threads'>, Pick<LoaderOptions, 'workers'> {
  /** Times to go through the pictures. Default 30, and at least 300 iterations. */
  readonly epochs?: number;
  /** Updates to make, instead of `epochs`. */
  readonly iterations?: number;
  /** Pictures of an iteration. Default 32, or all where there are fewer. */
  readonly batch?: number;
  /** Learning rate. Default: as the optimizer needs, a tenth of it for layers that are trained already. */
  readonly rate?: number;
  /** Default `adam`. */
  readonly optimizer?: Optimizer;
  /** Of `sgd` and `nesterov`. Default 0.9. */
  readonly momentum?: number;
  /** Penalty on the size of weights. Default 0.0005; of `adamW` 0.01. */
  readonly weightDecay?: number;
  /** How the rate falls. Default `cosine`, after a warm-up. */
  readonly schedule?: 'cosine' | 'fixed';
  /** Classes of data that does not name them. */
  readonly classes?: number;
  /** Shorter side of a picture, in pixels, before it is cut. Default: an eighth more than the net takes. */
  readonly resize?: number;
  /** Mirrors every other picture. Default: those in colour. */
  readonly mirror?: boolean;
  /** Values such as `104,117,123`, or a .npy or .binaryproto file. Default: as the net wants. */
  readonly mean?: string;
  /** Multiplies pixels after the mean is taken off. Default: as the net wants. */
  readonly scale?: number;
  /** Colour jitter along the principal components (Krizhevsky et al. 2012, section 4.1): 0.1. Default 0. */
  readonly jitter?: number;
  /** Of parameters, dropout, order and augmentation; a whole number. Default 1. */
  readonly seed?: number;
  /** Iterations between two evaluations. Default: an epoch, at least 50. */
  readonly evalEvery?: number;
  /** Stops after so many evaluations without a better one. Default: never. */
  readonly patience?: number;
  /** Iterations between two whose activations and gradients are measured. Default: none are. */
  readonly statistics?: number;
}
