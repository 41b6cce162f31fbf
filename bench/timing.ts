/** Middle of the sorted values: one slow run on a shared machine does not move it. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Runs that a figure is the median of, at least. */
export const LEAST_RUNS = 10;

/** Repeats `work` until `seconds` are over, at least `least` times, after one warm-up; what every call gave. */
export async function collect<T>(work: () => Promise<T>, seconds: number, least = LEAST_RUNS): Promise<T[]> {
  await work();
  const results: T[] = [];
  for (const end = performance.now() + seconds * 1000; results.length < least || performance.now() < end;)
    results.push(await work());
  return results;
}

/** The same for the milliseconds of every call. */
export function sample(work: () => Promise<unknown>, seconds: number, least = LEAST_RUNS): Promise<number[]> {
  return collect(() => time(work), seconds, least);
}

/** Milliseconds of one call. */
export async function time(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Numbers that look like data: cheap, repeatable, neither constant nor sorted. */
export function noise(length: number, scale = 1): Float32Array {
  const values = new Float32Array(length);
  let state = 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = (state / 2 ** 32 - 0.5) * scale;
  }
  return values;
}
