/** Middle of the sorted values: one slow run on a shared machine does not move it. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Runs that a figure is the median of, at least. */
export const LEAST_RUNS = 10;

/** Repeats `work` until `seconds` are over, at least `least` times, after one warm-up; milliseconds of every call. */
export async function sample(work: () => Promise<unknown>, seconds: number, least = LEAST_RUNS): Promise<number[]> {
  await work();
  const times: number[] = [];
  for (const end = performance.now() + seconds * 1000; times.length < least || performance.now() < end;) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return times;
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
