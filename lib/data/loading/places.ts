import { UsageError } from '../../errors.js';
import type { Dataset, Item } from '../dataset.js';
import { Order } from '../order.js';
import type { Place, Position } from './piece.js';

/** Gives the items of a dataset in the order in which they are to be read, some at a time; none at the end. */
export interface Places {
  take(most: number): Promise<readonly Place[]>;
}

export interface Course {
  /** Seed of the order; undefined: that of the dataset. */
  readonly shuffle: number | undefined;
  readonly start: Position;
  /** Passes over the dataset from epoch 0 on. */
  readonly epochs: number;
}

/** Where the item behind this one is. */
export function following({ epoch, place }: Position, length: number): Position {
  return place + 1 < length ? { epoch, place: place + 1 } : { epoch: epoch + 1, place: 0 };
}

/** The places of a dataset, epoch after epoch. */
export class OrderedPlaces implements Places {
  #at: Position;
  #order: Order | undefined;

  constructor(
    readonly dataset: Dataset,
    readonly course: Course,
  ) {
    this.#at = course.start;
  }

  take(most: number): Promise<readonly Place[]> {
    const taken: Place[] = [];
    for (
      ;
      taken.length < most && this.#at.epoch < this.course.epochs;
      this.#at = following(this.#at, this.dataset.length)
    )
      taken.push(this.#placeOf(this.#at));
    return Promise.resolve(taken);
  }

  #placeOf(position: Position): Place {
    const { epoch, place } = position;
    const { shuffle } = this.course;
    if (shuffle !== undefined && this.#order?.epoch !== epoch)
      this.#order = new Order(this.dataset.length, shuffle, epoch);
    const index = this.#order?.at(place) ?? place;
    return { epoch, place, index, ref: this.dataset.ref(index) };
  }
}

/** The items of an iterable, once, as they come. */
export class GivenPlaces implements Places {
  readonly #items: AsyncIterator<Item>;
  #place = 0;
  /** Calls wait for each other: else they would share out the items between them. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    items: AsyncIterable<Item>,
    readonly first: number,
  ) {
    this.#items = items[Symbol.asyncIterator]();
  }

  take(most: number): Promise<readonly Place[]> {
    const taken = this.#last.then(() => this.#take(most));
    this.#last = taken.catch(() => undefined);
    return taken;
  }

  async #take(most: number): Promise<readonly Place[]> {
    const taken: Place[] = [];
    while (taken.length < most) {
      const { done, value } = (await this.#items.next()) as IteratorResult<Item, undefined>;
      if (done) break;
      const place = this.#place++;
      if (place >= this.first) taken.push({ epoch: 0, place, index: place, ref: trimmed(checkItem(value)) });
    }
    return taken;
  }
}

/** Callers in JavaScript may hand in anything. @throws {UsageError} */
function checkItem(item: Item): Item {
  const { name, picture, label } = (item ?? {}) as Partial<Item>;
  const stored = (picture ?? {}) as { encoded?: unknown; pixels?: unknown; shape?: unknown };
  const encoded = typeof stored.encoded === 'string' || stored.encoded instanceof Uint8Array;
  const pixels = stored.pixels instanceof Uint8Array || stored.pixels instanceof Float32Array;
  const labelled = typeof label === 'number' || label instanceof Float32Array;
  if (typeof name === 'string' && labelled && (encoded || (pixels && Array.isArray(stored.shape)))) return item;
  throw new UsageError(
    'items: expected { name, picture, label }, the picture as { encoded } or { pixels, shape }, got something else',
  );
}

/** A view takes all of its buffer along when it is handed to a thread. */
function trimmed(item: Item): Item {
  const { picture } = item;
  const view = 'pixels' in picture ? picture.pixels : picture.encoded;
  if (typeof view === 'string' || view.byteLength === view.buffer.byteLength) return item;
  if ('pixels' in picture) return { ...item, picture: { ...picture, pixels: picture.pixels.slice() } };
  return { ...item, picture: { encoded: Uint8Array.from(view) } };
}

/** Places that have been taken already, and what comes behind them. */
export class Resumed implements Places {
  readonly #seen: Place[];

  constructor(
    seen: readonly Place[],
    readonly rest: Places,
  ) {
    this.#seen = [...seen];
  }

  async take(most: number): Promise<readonly Place[]> {
    const seen = this.#seen.splice(0, most);
    return seen.length > 0 ? seen : this.rest.take(most);
  }
}
