import { DeviceInputs } from '../device-inputs.js';
import { UsageError } from '../errors.js';
import type { Feed } from '../feed.js';
import type { Batch, Loader } from '../data/loader.js';

/** What a training needs of a `Loader`; anything of that shape will do. */
export type Source = AsyncIterable<Batch> &
  Pick<Loader, 'shape' | 'pictures'> & {
    readonly dataset: Pick<Loader['dataset'], 'name' | 'classes'> &
      Partial<Pick<Loader['dataset'], 'length' | 'label'>>;
    readonly options: Pick<Loader['options'], 'batch'>;
  };

/** What a model is given for a run. */
export type ModelInputs = Readonly<Record<string, Feed>> | DeviceInputs;

/** A batch where the model takes it from. */
interface Brought {
  readonly batch: Batch;
  readonly inputs: ModelInputs;
}

/** The same, and how long there was nothing else to do than wait for it. Disposing it frees what is on the device. */
export interface Taken extends Brought, Disposable {
  readonly waited: number;
}

/**
 * Takes batches from a loader, always one ahead: while this one is computed with, the next one is on its way, as far as the
 * model's device.
 */
export class Feeder implements Disposable {
  readonly #iterator: AsyncIterator<Batch>;
  readonly #bringInputs: (batch: Batch) => Promise<ModelInputs>;
  readonly #signal: AbortSignal | undefined;
  #next: Promise<Brought | undefined> | undefined;

  /** `bring` takes a batch to where the model takes it from. */
  constructor(loader: Source, bring: (batch: Batch) => Promise<ModelInputs>, signal?: AbortSignal) {
    this.#iterator = loader[Symbol.asyncIterator]();
    this.#bringInputs = bring;
    this.#signal = signal;
  }

  /**
   * The next batch; undefined when there are no more. `last`: none will be taken after it.
   * @throws what the loader or `bring` throws, or the signal's reason
   */
  async take(last = false): Promise<Taken | undefined> {
    const started = performance.now();
    const taken = await abortable((this.#next ??= this.#bring()), this.#signal);
    const waited = performance.now() - started;
    this.#next = undefined;
    if (!taken) return undefined;
    if (!last) this.#askForMore();
    return { ...taken, waited, [Symbol.dispose]: () => release(taken) };
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
    this.#next?.then(release, () => undefined);
  }

  #askForMore(): void {
    this.#next = this.#bring();
    // Its failure is told when its turn comes.
    this.#next.catch(() => undefined);
  }

  async #bring(): Promise<Brought | undefined> {
    const next = await this.#iterator.next();
    return next.done ? undefined : { batch: next.value, inputs: await this.#bringInputs(next.value) };
  }
}

function release(brought: Brought | undefined): void {
  if (brought?.inputs instanceof DeviceInputs) brought.inputs.dispose();
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
