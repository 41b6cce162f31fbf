import { DisposedError } from '../errors.js';

/** How calls are gathered. */
export interface BatchOptions {
  /** Rows of one run at most. */
  readonly limit: number;
  /** Milliseconds that a row which is ready waits for others that are on their way. */
  readonly latency: number;
}

/** One call's share of a batch. */
export interface Work<T> {
  /** Makes the item: reads, decodes, checks. Its failure is this call's alone. */
  readonly make: (signal: AbortSignal | undefined) => T | Promise<T>;
  /** Rows that the item will be. Default 1. */
  readonly rows?: number;
  /** Only items of one kind share a run. Default: all do. */
  readonly kind?: string;
  readonly signal?: AbortSignal | undefined;
}

/** Runs the items of one batch and gives an answer for each, in their order. */
export type RunBatch<T, R> = (items: readonly T[], signal: AbortSignal, kind: string) => Promise<readonly R[]>;

interface Job<T, R> {
  readonly number: number;
  readonly work: Work<T>;
  readonly rows: number;
  readonly kind: string;
  item?: T;
  /** When the item was made. */
  since: number;
  readonly resolve: (answer: R) => void;
  readonly reject: (reason: unknown) => void;
  /** Answered, one way or another: what is still under way for it is of no use. */
  settled?: true;
}

/**
 * Gathers concurrent calls into batches: items are made (read, decoded) a limited number ahead, while an earlier batch
 * runs, and run in the order of the calls. A batch starts when it is full, when its oldest item has waited for `latency`,
 * or as soon as nothing else is on its way.
 */
export class MicroBatcher<T, R> {
  readonly #waiting: Job<T, R>[] = [];
  readonly #making = new Set<Job<T, R>>();
  /** Made, in the order of the calls. */
  readonly #ready: Job<T, R>[] = [];
  #running: { readonly jobs: readonly Job<T, R>[]; readonly controller: AbortController } | undefined;
  readonly #signals = new Map<AbortSignal, { readonly jobs: Set<Job<T, R>>; readonly abort: () => void }>();
  #timer: NodeJS.Timeout | undefined;
  #calls = 0;
  #idle: (() => void)[] = [];
  #closed: Error | undefined;

  constructor(
    readonly run: RunBatch<T, R>,
    readonly options: BatchOptions,
  ) {}

  /** Calls that have no answer yet. */
  get pending(): number {
    return this.#waiting.length + this.#making.size + this.#ready.length + (this.#running?.jobs.length ?? 0);
  }

  /**
   * The answer for one item.
   * @throws what making it throws, what its batch's run throws, or the signal's reason
   * @throws {DisposedError} after close()
   */
  submit(work: Work<T>): Promise<R> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (work.signal?.aborted) return Promise.reject(work.signal.reason as Error);
    return new Promise<R>((resolve, reject) => {
      const { signal, rows = 1, kind = '' } = work;
      const job: Job<T, R> = { number: this.#calls++, work, rows, kind, since: 0, resolve, reject };
      if (signal) this.#listen(signal, job);
      this.#waiting.push(job);
      this.#advance();
    });
  }

  /** One listener serves all calls of a signal, which may be many. */
  #listen(signal: AbortSignal, job: Job<T, R>): void {
    const known = this.#signals.get(signal);
    if (known) {
      known.jobs.add(job);
      return;
    }
    const jobs = new Set([job]);
    const abort = (): void => {
      for (const each of jobs) this.#drop(each, signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    this.#signals.set(signal, { jobs, abort });
  }

  /** The call has its answer: its signal means nothing any more. */
  #settle(job: Job<T, R>): void {
    job.settled = true;
    const { signal } = job.work;
    const known = signal && this.#signals.get(signal);
    if (!known) return;
    known.jobs.delete(job);
    if (known.jobs.size > 0) return;
    signal.removeEventListener('abort', known.abort);
    this.#signals.delete(signal);
  }

  /** Resolves when no call is without an answer. */
  async idle(): Promise<void> {
    if (this.pending > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Rejects every call, present and to come. May be called twice. */
  close(reason: Error = new DisposedError('expected a live model, got a disposed one')): void {
    this.#closed ??= reason;
    const jobs = [...this.#waiting, ...this.#making, ...this.#ready, ...(this.#running?.jobs ?? [])];
    for (const job of jobs) this.#drop(job, reason);
  }

  /** Starts what can be started. */
  #advance(): void {
    // As many rows are made ahead as two runs take: one full batch waits while the next is decoded.
    let ahead = rowsOf([...this.#making, ...this.#ready]);
    while (this.#waiting.length > 0 && (ahead === 0 || ahead + this.#waiting[0]!.rows <= 2 * this.options.limit)) {
      const job = this.#waiting.shift()!;
      ahead += job.rows;
      this.#making.add(job);
      void this.#make(job);
    }
    this.#dispatch();
    if (this.pending === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #make(job: Job<T, R>): Promise<void> {
    try {
      const item = await job.work.make(job.work.signal);
      if (job.settled) return;
      job.item = item;
      job.since = performance.now();
      this.#making.delete(job);
      const behind = this.#ready.findLastIndex(({ number }) => number < job.number);
      this.#ready.splice(behind + 1, 0, job);
    } catch (error) {
      this.#drop(job, error);
    }
    this.#advance();
  }

  #dispatch(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const head = this.#ready[0];
    if (this.#running || !head) return;
    const { batch, full } = this.#gather(head.kind);
    const wait = this.options.latency - (performance.now() - head.since);
    if (full || wait <= 0 || this.#waiting.length + this.#making.size === 0) void this.#start(batch);
    else this.#timer = setTimeout(() => this.#dispatch(), Math.ceil(wait));
  }

  /** The first items of a kind, as many as a run takes. */
  #gather(kind: string): { batch: Job<T, R>[]; full: boolean } {
    const batch: Job<T, R>[] = [];
    let rows = 0;
    for (const job of this.#ready) {
      if (job.kind !== kind) continue;
      if (batch.length > 0 && rows + job.rows > this.options.limit) return { batch, full: true };
      batch.push(job);
      rows += job.rows;
    }
    return { batch, full: rows >= this.options.limit };
  }

  async #start(jobs: readonly Job<T, R>[]): Promise<void> {
    const controller = new AbortController();
    this.#running = { jobs, controller };
    for (const job of jobs) this.#ready.splice(this.#ready.indexOf(job), 1);
    this.#advance();
    let settle: (job: Job<T, R>, i: number) => void;
    try {
      const items = jobs.map((job) => job.item!);
      const answers = await this.run(items, controller.signal, jobs[0]!.kind);
      settle = (job, i) => job.resolve(answers[i]!);
    } catch (error) {
      settle = (job) => job.reject(error);
    }
    this.#running = undefined;
    // The next batch goes first: answers are told while it runs.
    this.#advance();
    jobs.forEach((job, i) => {
      if (job.settled) return;
      this.#settle(job);
      settle(job, i);
    });
  }

  /** Ends one call without an answer. A run goes on for the others in it, and is cancelled when none is left. */
  #drop(job: Job<T, R>, reason: unknown): void {
    if (job.settled) return;
    this.#settle(job);
    job.reject(reason);
    this.#making.delete(job);
    for (const list of [this.#waiting, this.#ready]) {
      const at = list.indexOf(job);
      if (at >= 0) list.splice(at, 1);
    }
    if (this.#running?.jobs.every(({ settled }) => settled)) this.#running.controller.abort(reason);
    this.#advance();
  }
}

function rowsOf(jobs: readonly { readonly rows: number }[]): number {
  return jobs.reduce((sum, { rows }) => sum + rows, 0);
}
