import { DisposedError, UsageError } from '../errors.js';
import { count, type Shape } from '../shape.js';
import { eager } from './ahead.js';
import { colourComponents } from './colours.js';
import type { Dataset, Item } from './dataset.js';
import { fill, type Batch, type Filled } from './loading/batches.js';
import { extentsOf, normalOf } from './loading/normal.js';
import { openCrew, type Opened } from './loading/opened.js';
import type { LoaderOptions, Settled } from './loading/options.js';
import { CROPS } from './loading/piece.js';
import { Pace } from './pace.js';
import type { TransformOptions } from './transform.js';

export type { Batch } from './loading/batches.js';
export type { LoaderOptions } from './loading/options.js';
export type { BadPicture, Position } from './loading/piece.js';

/** Bytes of pixels that a thread makes at one go, about: messages cost little beside them, and threads end together. */
const PIECE = 1 << 20;

/**
 * Opens a loader: threads that read, decode, resize, cut and mirror the pictures of a dataset, ahead of whoever takes the
 * batches. What comes is the same for the same seed, however many threads there are.
 * @param data A dataset, or items of one's own as they come: these are read once, in their order, with numbers as labels.
 * @throws {FormatError} when no picture can be read
 * @throws {ShapeError} when the first one does not fit the settings, naming it
 * @throws {UsageError} for settings that make no sense
 */
export async function openLoader(data: Dataset | AsyncIterable<Item>, options: LoaderOptions): Promise<Loader> {
  const transform = await withComponents(data, options);
  return new Loader(await openCrew(data, transform ? { ...options, transform } : options));
}

/** The settings with the components that a jitter needs, where nobody has given them. */
async function withComponents(
  data: Dataset | AsyncIterable<Item>,
  { phase, transform: own, workers, signal }: LoaderOptions,
): Promise<TransformOptions | undefined> {
  if (!('reader' in data) || phase !== 'train') return undefined;
  const transform = { ...data.transform, ...own };
  if (!transform.jitter || transform.components) return undefined;
  const limits = { ...(workers !== undefined && { workers }), ...(signal && { signal }) };
  return { ...transform, components: await colourComponents(data, { transform, ...limits }) };
}

/**
 * Batches of a dataset. Each iteration begins at `start`, one at a time; close() ends the threads.
 */
export class Loader implements AsyncIterable<Batch>, AsyncDisposable {
  /** Shape (C, H, W) of its pictures, as found in the first readable item. */
  readonly shape: Shape;
  readonly #opened: Opened;
  #iterating = false;

  constructor(opened: Opened) {
    this.#opened = opened;
    this.shape = opened.form.shape;
  }

  /** What it reads. */
  get dataset(): Dataset {
    return this.#opened.dataset;
  }

  /** With their defaults. */
  get options(): Settled {
    return this.#opened.options;
  }

  /** Length of the dataset; Infinity for items that come by themselves. */
  get pictures(): number {
    return this.dataset.length;
  }

  /** All pictures that were left out so far, each once. */
  get bad(): Batch['bad'] {
    return this.#opened.tally.bad;
  }

  /**
   * @throws {FormatError} when more than `mostBad` pictures cannot be read, or the data itself can no longer be
   * @throws {OutOfMemoryError} when a thread has none left
   * @throws the signal's reason when it is aborted
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Batch> {
    if (this.#iterating) throw new UsageError('loader: expected one iteration at a time, got a second one');
    this.#iterating = true;
    const batches = eager(this.#batches(), 1);
    try {
      for (;;) {
        const asked = performance.now();
        const { done, value } = (await batches.next()) as IteratorResult<Filled, undefined>;
        if (done) return;
        yield { ...value, waited: performance.now() - asked };
      }
    } finally {
      this.#iterating = false;
      this.#opened.crew.forget(new DisposedError('loader: its iteration has ended'));
      await batches.return(undefined);
    }
  }

  #batches(): AsyncGenerator<Filled> {
    const { form } = this.#opened;
    const { batch, signal, transform, start, oversample, workers } = this.options;
    const { length, labelShape } = this.dataset;
    const crops = oversample ? CROPS : 1;
    const most = Math.min(Math.ceil(batch / workers), Math.floor(PIECE / (crops * count(form.shape))));
    const pieces = this.#opened.pieces(Math.max(1, most), batch);
    const normal = normalOf(transform, form.shape);
    const windows = extentsOf(transform.mean) !== undefined;
    return fill(pieces, { batch, crops, form, labelShape, normal, length, start, windows }, new Pace(signal));
  }

  /** Ends the threads; an iteration that waits fails. Also the end of `await using`. */
  async close(): Promise<void> {
    await this.#opened.crew.close();
  }

  /** As `close()`: for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
