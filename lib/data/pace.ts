import { setImmediate } from 'node:timers/promises';

/** Milliseconds of work between two turns of the event loop. */
const SPAN = 2;

/** Keeps long work on the main thread from holding up the event loop, and ends it when it is aborted. */
export class Pace {
  #since = performance.now();

  constructor(readonly signal?: AbortSignal) {}

  /** Whether it is time to rest(). Cheap, but not to be asked for every byte. */
  get due(): boolean {
    return performance.now() - this.#since > SPAN;
  }

  /** Lets the event loop turn. @throws the signal's reason once it is aborted */
  async rest(): Promise<void> {
    await setImmediate();
    this.signal?.throwIfAborted();
    this.#since = performance.now();
  }
}

/** Items sorted together; small enough to take well under a millisecond. */
const RUN = 2048;

/** Sorts as Array.sort does (stable), in pieces between which the event loop turns. */
export async function sortSlowly<T>(items: T[], compare: (a: T, b: T) => number, pace: Pace): Promise<T[]> {
  let runs: T[][] = [];
  for (let at = 0; at < items.length; at += RUN) {
    runs.push(items.slice(at, at + RUN).sort(compare));
    if (pace.due) await pace.rest();
  }
  while (runs.length > 1) {
    const merged: T[][] = [];
    for (let i = 0; i < runs.length; i += 2) merged.push(await merge(runs[i]!, runs[i + 1] ?? [], compare, pace));
    runs = merged;
  }
  return runs[0] ?? [];
}

async function merge<T>(a: T[], b: T[], compare: (a: T, b: T) => number, pace: Pace): Promise<T[]> {
  if (b.length === 0) return a;
  const made: T[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const left = j === b.length || (i < a.length && compare(a[i]!, b[j]!) <= 0);
    made.push(left ? a[i++]! : b[j++]!);
    if (made.length % RUN === 0 && pace.due) await pace.rest();
  }
  return made;
}

/** The order of strings by their code units: the same on every machine, whatever its language. */
export function byCode(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
