import type { Worker } from 'node:worker_threads';
// Loaded here too: a library that only threads have loaded would leave the process with the first of them that ends.
import 'sharp';
import { CortadoError, DisposedError, errorOf, OutOfMemoryError } from '../../errors.js';
import { startThread } from '../../thread.js';
import type { BadPicture, Form, Piece, Place, Setup, Sums, SumTask, Task } from './piece.js';
import type { Answer, Request } from './worker.js';

interface Job {
  readonly request: Request;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** Jobs that a thread has at once: one in hand, and one to go on with. */
const IN_HAND = 2;

/** Threads that make pictures of a dataset, until they are closed or the signal aborts them. They keep the process alive only while they have something to do. */
export class Crew {
  readonly #threads: readonly Thread[];
  readonly #waiting: Job[] = [];
  #ended: Error | undefined;

  constructor(
    setup: Setup,
    size: number,
    readonly signal: AbortSignal | undefined,
  ) {
    this.#threads = Array.from(
      { length: size },
      () =>
        new Thread(
          setup,
          () => this.#next(),
          (error) => this.#end(error),
        ),
    );
    if (signal?.aborted) this.#abort();
    else signal?.addEventListener('abort', this.#abort, { once: true });
  }

  readonly #abort = (): void => {
    void this.close(this.signal!.reason as Error);
  };

  get size(): number {
    return this.#threads.length;
  }

  /** What becomes of the picture at a place, or why nothing does. @throws {CortadoError} when the settings do not fit it */
  async form(place: Place): Promise<Form | BadPicture> {
    const answer = await this.#ask({ kind: 'form', place });
    return (answer as Extract<Answer, { kind: 'form' }>).form;
  }

  /** Has a task done by the next thread that is free. @throws {CortadoError} when the data cannot be read any more, or a thread dies */
  async make(task: Task): Promise<Piece> {
    const answer = await this.#ask({ kind: 'make', task });
    return (answer as Extract<Answer, { kind: 'make' }>).piece;
  }

  /** Has pictures added up, as make() has them made. */
  async sum(task: SumTask): Promise<Sums> {
    const answer = await this.#ask({ kind: 'sum', task });
    return (answer as Extract<Answer, { kind: 'sum' }>).sums;
  }

  /** Gives up what was asked for and is not made: it fails with the reason. */
  forget(reason: Error): void {
    for (const job of this.#waiting.splice(0)) job.reject(reason);
    for (const thread of this.#threads) thread.forget(reason);
  }

  /** Ends every thread behind the item that it has in hand; what was asked for and is not made fails. */
  async close(reason: Error = new DisposedError('loader: closed')): Promise<void> {
    this.signal?.removeEventListener('abort', this.#abort);
    this.#end(reason);
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }

  async #ask(request: Request): Promise<Answer> {
    const answer = await new Promise<Answer>((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      if (this.#ended) this.forget(this.#ended);
      else this.#next();
    });
    if (answer.kind === 'failed') throw errorOf(answer.code, answer.message);
    return answer;
  }

  #next(): void {
    while (this.#waiting.length > 0) {
      const free = this.#threads.reduce((best, each) => (each.jobs < best.jobs ? each : best));
      if (free.jobs >= IN_HAND) return;
      free.give(this.#waiting.shift()!);
    }
  }

  /** Without one of its threads a crew cannot keep its promises. */
  #end(error: Error): void {
    this.#ended ??= error;
    this.forget(this.#ended);
  }
}

/** One thread and the jobs that it has. */
class Thread {
  readonly #worker: Worker;
  readonly #exit: Promise<void>;
  readonly #jobs: Job[] = [];
  #closing = false;

  constructor(setup: Setup, onFree: () => void, onDeath: (error: Error) => void) {
    this.#worker = startThread('./worker.js', import.meta.url, { workerData: setup });
    this.#worker.unref();
    this.#exit = new Promise((resolve) => this.#worker.once('exit', () => resolve()));
    this.#worker.on('message', (answer: Answer) => {
      this.#jobs.shift()?.resolve(answer);
      if (this.#jobs.length === 0 && !this.#closing) this.#worker.unref();
      onFree();
    });
    this.#worker.on('error', (cause: NodeJS.ErrnoException) => onDeath(deathOf(setup.name, cause)));
    this.#worker.on('exit', () =>
      onDeath(new CortadoError('INTERNAL', `${setup.name}: a thread that reads it has ended`)),
    );
  }

  get jobs(): number {
    return this.#jobs.length;
  }

  give(job: Job): void {
    this.#worker.ref();
    this.#jobs.push(job);
    this.#worker.postMessage(job.request);
  }

  /** What it has in hand it makes, but nobody hears of it. */
  forget(reason: Error): void {
    for (const job of this.#jobs) job.reject(reason);
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#worker.ref();
    this.#worker.postMessage({ kind: 'close' } satisfies Request);
    await this.#exit;
  }
}

function deathOf(name: string, cause: NodeJS.ErrnoException): CortadoError {
  if (cause.code === 'ERR_WORKER_OUT_OF_MEMORY' || cause instanceof RangeError)
    return new OutOfMemoryError(`${name}: no memory to read it: ${cause.message}; fewer workers need less`, { cause });
  return new CortadoError('INTERNAL', `${name}: a thread that reads it has died: ${cause.message}`, { cause });
}
