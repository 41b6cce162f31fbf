import { DisposedError, FormatError, UsageError } from '../errors.js';
import { count, type Shape } from '../shape.js';
import { ahead, eager } from './ahead.js';
import type { Dataset, Item } from './dataset.js';
import { fill, type Batch, type Done, type Filled } from './loading/batches.js';
import { Crew } from './loading/crew.js';
import { checkOptions, type LoaderOptions, type Settled } from './loading/options.js';
import { extentsOf, normalOf } from './loading/normal.js';
import { CROPS, type Form, type Place, type Setup } from './loading/piece.js';
import { GivenPlaces, OrderedPlaces, Resumed, type Places } from './loading/places.js';
import { Tally } from './loading/tally.js';
import { Pace } from './pace.js';

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
  const dataset = 'reader' in data ? data : given();
  const settled = checkOptions(options, dataset);
  const places = (): Places =>
    'reader' in data ? new OrderedPlaces(data, settled) : new GivenPlaces(data, settled.start.place);
  const crew = new Crew(setupOf(dataset, settled), settled.workers, settled.signal);
  try {
    const tally = new Tally(dataset.name, dataset.length, settled.mostBad);
    const first = places();
    const { form, seen } = await findForm(crew, first, tally, dataset.name);
    return new Loader(dataset, settled, { crew, tally, form, first: new Resumed(seen, first), places });
  } catch (error) {
    await crew.close();
    throw error;
  }
}

/** Items that come by themselves: a reader is handed each of them. */
function given(): Dataset {
  return {
    name: 'items',
    length: Infinity,
    classes: undefined,
    labelShape: [],
    reader: { kind: 'given' },
    transform: {},
    ref: () => undefined,
  };
}

function setupOf({ name, reader, labelShape }: Dataset, { transform, phase, seed, oversample }: Settled): Setup {
  const { mean, scale: _, ...rest } = transform;
  return {
    name,
    reader,
    labelShape,
    transform: rest,
    mean: extentsOf(mean),
    random: phase === 'train',
    seed,
    oversample,
  };
}

/** What the first picture that can be read becomes, and the places that were looked at. */
async function findForm(
  crew: Crew,
  places: Places,
  tally: Tally,
  name: string,
): Promise<{ form: Form; seen: readonly Place[] }> {
  const seen: Place[] = [];
  for (;;) {
    const [place] = await places.take(1);
    if (!place) throw new FormatError(`${name}: expected at least one picture, got none`);
    seen.push(place);
    const form = await crew.form(place);
    if ('shape' in form) return { form, seen };
    tally.add(place.index, form);
  }
}

interface Parts {
  readonly crew: Crew;
  readonly tally: Tally;
  readonly form: Form;
  /** For the first iteration: what is to be read, of which the first pictures have been looked at already. */
  readonly first: Places;
  readonly places: () => Places;
}

/**
 * Batches of a dataset. Each iteration begins at `start`, one at a time; close() ends the threads.
 */
export class Loader implements AsyncIterable<Batch>, AsyncDisposable {
  /** Shape (C, H, W) of its pictures, as found in the first readable item. */
  readonly shape: Shape;
  readonly #parts: Parts;
  #first: Places | undefined;
  #iterating = false;

  constructor(
    readonly dataset: Dataset,
    readonly options: Settled,
    parts: Parts,
  ) {
    this.shape = parts.form.shape;
    this.#parts = parts;
    this.#first = parts.first;
  }

  /** Length of the dataset; Infinity for items that come by themselves. */
  get pictures(): number {
    return this.dataset.length;
  }

  /** All pictures that were left out so far, each once. */
  get bad(): Batch['bad'] {
    return this.#parts.tally.bad;
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
      this.#parts.crew.forget(new DisposedError('loader: its iteration has ended'));
      await batches.return(undefined);
    }
  }

  #batches(): AsyncGenerator<Filled> {
    const { crew, form, tally, places } = this.#parts;
    const { batch, signal, transform, start } = this.options;
    const { length, labelShape } = this.dataset;
    const source = this.#first ?? places();
    this.#first = undefined;
    const crops = this.options.oversample ? CROPS : 1;
    const size = Math.ceil(batch / crew.size);
    const most = Math.max(1, Math.min(size, Math.floor(PIECE / (crops * count(form.shape)))));
    const make = async (): Promise<Done | undefined> => {
      const task = { places: await source.take(most), form };
      return task.places.length > 0 ? { task, piece: await crew.make(task) } : undefined;
    };
    const counted = async function* (): AsyncGenerator<Done> {
      for await (const done of ahead(Infinity, Math.max(2 * crew.size, Math.ceil(batch / most)), make)) {
        tally.count(done);
        yield done;
      }
    };
    const normal = normalOf(transform, form.shape);
    const windows = extentsOf(transform.mean) !== undefined;
    return fill(counted(), { batch, crops, form, labelShape, normal, length, start, windows }, new Pace(signal));
  }

  /** Ends the threads; an iteration that waits fails. Also the end of `await using`. */
  async close(): Promise<void> {
    await this.#parts.crew.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
