import { availableParallelism } from 'node:os';
import { UsageError } from '../../errors.js';
import type { Dataset } from '../dataset.js';
import type { TransformOptions } from '../transform.js';
import type { Position } from './piece.js';

/** How batches are made of a dataset. */
export interface LoaderOptions {
  /** Pictures in a batch. */
  readonly batch: number;
  /** In training pictures are cut anywhere, mirrored and jittered, in evaluation their middle is taken. */
  readonly phase: 'train' | 'test';
  /** A random order, another in each epoch; a number is a seed of its own. Default: in training true. */
  readonly shuffle?: boolean | number;
  /** Order and chance hang on it, the epoch and the place alone. Default 1. */
  readonly seed?: number;
  /** Threads that read, decode and resize. Default: the cores less one, at least 1. */
  readonly workers?: number;
  /** Where to begin. Default: at the first item. */
  readonly start?: Position;
  /** Passes over the dataset, counted from epoch 0. Default: endless in training, 1 in evaluation. Batches run over the end of an epoch; only the very last may be smaller. */
  readonly epochs?: number;
  /** Pictures, each counted once, that may be left out because they cannot be read. Default 100, or 1 % of the dataset if that is more. */
  readonly mostBad?: number;
  /** In evaluation: ten crops of each picture (corners and middle, plain and mirrored), one behind the other; labels once. Default false. */
  readonly oversample?: boolean;
  /** How many classes there are: an item whose label is not from 0 to one less is an error before the first batch, or bad where labels are known only when items are read. Default: any label will do. */
  readonly classes?: number;
  /** What happens to each picture, in place of the same settings of the dataset. */
  readonly transform?: TransformOptions;
  /** Ends the loader. */
  readonly signal?: AbortSignal;
}

/** Options with their defaults. */
export interface Settled extends Required<Omit<LoaderOptions, 'signal' | 'shuffle' | 'classes'>> {
  readonly classes: number | undefined;
  /** Seed of the order; undefined: that of the dataset. */
  readonly shuffle: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Fills in what was left out. @throws {UsageError} */
export function checkOptions(options: LoaderOptions, dataset: Dataset): Settled {
  const { batch, phase, seed = 1, oversample = false, classes, signal } = options;
  const training = phase === 'train';
  const { length } = dataset;
  const {
    workers = Math.max(1, availableParallelism() - 1),
    epochs = training && Number.isFinite(length) ? Infinity : 1,
    mostBad = Number.isFinite(length) ? Math.max(100, Math.ceil(length / 100)) : 100,
    start = { epoch: 0, place: 0 },
    shuffle = training && Number.isFinite(length),
  } = options;
  const transform = { ...dataset.transform, ...options.transform };
  if (!training && phase !== 'test') throw new UsageError(`phase: expected train or test, got ${String(phase)}`);
  whole('batch', batch, 1);
  whole('workers', workers, 1);
  whole('seed', seed, 0);
  whole('mostBad', mostBad, 0);
  whole('start.epoch', start.epoch, 0);
  whole('start.place', start.place, 0, length - 1);
  if (classes !== undefined) whole('classes', classes, 1);
  if (epochs !== Infinity) whole('epochs', epochs, 1);
  if (typeof shuffle === 'number') whole('shuffle', shuffle, 0);
  if (shuffle !== false && !Number.isFinite(length))
    throw new UsageError('shuffle: expected false for items that come by themselves, got a random order');
  if (oversample && (training || transform.crop === undefined))
    throw new UsageError('oversample: expected phase test and a crop, of which it takes ten');
  const { jitter = 0 } = transform;
  if (!(Number.isFinite(jitter) && jitter >= 0))
    throw new UsageError(`jitter: expected a finite number of at least 0, got ${jitter}`);
  if (training && jitter > 0 && !transform.components)
    throw new UsageError('jitter: expected the components of the colours, got none');
  return {
    ...{ batch, phase, seed, workers, start, epochs, mostBad, oversample, classes, transform, signal },
    shuffle: shuffle === true ? seed : shuffle === false ? undefined : shuffle,
  };
}

function whole(what: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  const range = most < Number.MAX_SAFE_INTEGER ? `from ${least} to ${most}` : `of at least ${least}`;
  throw new UsageError(`${what}: expected a whole number ${range}, got ${value}`);
}
