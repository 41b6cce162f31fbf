import { readFile } from 'node:fs/promises';
import { FormatError } from '../errors.js';

/** One of the classes that a net sees in a picture. */
export interface Prediction {
  /** Name of the class; its index where the classes have no names. */
  readonly label: string;
  /** Probability, 0 to 1. */
  readonly score: number;
  /** Of the class. */
  readonly index: number;
}

/** Reads names of classes, one a line. @throws {FormatError} when the file cannot be read */
export async function readLabels(path: string): Promise<string[]> {
  try {
    const text = await readFile(path, 'utf8');
    return text.replace(/\r?\n$/, '').split(/\r?\n/);
  } catch (cause) {
    throw new FormatError(`${path}: cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

/** The likeliest `top` classes, the likeliest first; of equals the lower class first. */
export function best(
  scores: Float32Array,
  normalized: boolean,
  top: number,
  labels: readonly string[] | undefined,
): Prediction[] {
  const probabilities = normalized ? scores : softmax(scores);
  const order = Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b);
  return order
    .slice(0, top)
    .map((index) => ({ label: labels?.[index] ?? String(index), score: probabilities[index]!, index }));
}

function softmax(scores: Float32Array): Float64Array {
  const most = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const exponentials = Float64Array.from(scores, (s) => Math.exp(s - most));
  const total = exponentials.reduce((a, b) => a + b, 0);
  return exponentials.map((e) => e / total);
}

/** The mean of `rows` equal parts. */
export function average(scores: Float32Array, rows: number): Float32Array {
  const width = scores.length / rows;
  return Float32Array.from({ length: width }, (_, i) => {
    let sum = 0;
    for (let row = 0; row < rows; row++) sum += scores[row * width + i]!;
    return sum / rows;
  });
}
