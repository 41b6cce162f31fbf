import { UsageError } from '../errors.js';
import type { Batch, Loader } from '../data/loader.js';

/** What a training needs of a `Loader`; anything of that shape will do. */
export type Source = AsyncIterable<Batch> &
  Pick<Loader, 'shape' | 'pictures'> & {
    readonly dataset: Pick<Loader['dataset'], 'name' | 'classes'> &
      Partial<Pick<Loader['dataset'], 'length' | 'label'>>;
    readonly options: Pick<Loader['options'], 'batch'>;
  };

/** A batch, and how long there was nothing else to do than wait for it. */
export interface Taken {
  readonly batch: Batch;
  readonly waited: number;
}

/** Takes batches from a loader, always one ahead: the next one is on its way while this one is computed with. */
export class Feeder implements Disposable {
  readonly #iterator: AsyncIterator<Batch>;
  readonly #signal: AbortSignal | undefined;
  #next: Promise<IteratorResult<Batch, unknown>> | undefined;

  constructor(loader: Source, signal?: AbortSignal) {
    this.#iterator = loader[Symbol.asyncIterator]();
    this.#signal = signal;
  }

  /** The next batch; undefined when there are no more. `last`: none will be taken after it. @throws what the loader throws, or the signal's reason */
  async take(last = false): Promise<Taken | undefined> {
    const started = performance.now();
    const taken = await abortable(this.#next ?? this.#iterator.next(), this.#signal);
    const waited = performance.now() - started;
    this.#next = undefined;
    if (taken.done) return undefined;
    if (!last) this.#askForMore();
    return { batch: taken.value, waited };
  }

  /** The same where batches must not end. @throws {UsageError} when they do */
  async need(last: boolean): Promise<Taken> {
    const taken = await this.take(last);
    if (taken) return taken;
    throw new UsageError('loader: expected batches to the end of the training, got fewer; open it without `epochs`');
  }

  /** What is under way ends unheard. */
  [Symbol.dispose](): void {
    this.#iterator.return?.().catch(() => undefined);
  }

  #askForMore(): void {
    this.#next = this.#iterator.next();
    // Its failure is told when its turn comes.
    this.#next.catch(() => undefined);
  }
}

async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  signal.throwIfAborted();
  const gone = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    // What a signal's owner gave as its reason is what its owner wants to see.
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true, signal: gone.signal });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    gone.abort();
  }
}
