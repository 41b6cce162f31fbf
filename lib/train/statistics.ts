import { setImmediate } from 'node:timers/promises';

/** How the numbers of a tensor lie. */
export interface Statistics {
  readonly mean: number;
  /** Standard deviation. */
  readonly deviation: number;
  readonly least: number;
  readonly most: number;
  /** Share of them that are exactly 0: dead ReLUs, dropped activations. */
  readonly zeros: number;
}

/** Numbers looked at between two turns of the event loop. */
const PIECE = 1 << 19;

/** Looks at all numbers of a tensor without holding up the event loop. */
export async function statisticsOf(data: Float32Array): Promise<Statistics> {
  let [sum, squares, zeros, least, most] = [0, 0, 0, Infinity, -Infinity];
  for (let start = 0; start < data.length; start += PIECE) {
    if (start > 0) await setImmediate();
    for (const value of data.subarray(start, start + PIECE)) {
      sum += value;
      squares += value * value;
      if (value === 0) zeros++;
      if (value < least) least = value;
      if (value > most) most = value;
    }
  }
  const mean = sum / data.length;
  // Rounding may take it below zero.
  const variance = Math.max(0, squares / data.length - mean * mean);
  return { mean, deviation: Math.sqrt(variance), least, most, zeros: zeros / data.length };
}
