/** Softmax and labels in double precision, for the tests of classifiers' losses. */
import type { Shape } from '../../lib/index.js';
import { doublesOf, type Doubles } from './ops.js';

/** Places beside a class axis. */
export interface Rows {
  readonly outer: number;
  readonly classes: number;
  readonly inner: number;
  readonly count: number;
  /** Where class k of row `row` is. */
  readonly at: (row: number, k: number) => number;
}

export function rowsOf(shape: Shape, axis: number): Rows {
  const product = (extents: Shape): number => extents.reduce((a, b) => a * b, 1);
  const [outer, classes, inner] = [product(shape.slice(0, axis)), shape[axis]!, product(shape.slice(axis + 1))];
  const at = (row: number, k: number): number => (Math.floor(row / inner) * classes + k) * inner + (row % inner);
  return { outer, classes, inner, count: outer * inner, at };
}

export function softmaxOf(x: Doubles, axis: number): Doubles {
  const rows = rowsOf(x.shape, axis);
  const y = new Float64Array(x.data.length);
  for (let row = 0; row < rows.count; row++) {
    const places = Array.from({ length: rows.classes }, (_, k) => rows.at(row, k));
    const peak = Math.max(...places.map((i) => x.data[i]!));
    const total = places.reduce((sum, i) => sum + Math.exp(x.data[i]! - peak), 0);
    for (const i of places) y[i] = Math.exp(x.data[i]! - peak) / total;
  }
  return doublesOf(x.shape, (i) => y[i]!);
}

export type Normalization = 'valid' | 'batchSize' | 'full' | 'none';

/** What a sum over labels is divided by. */
export function divisor(normalization: Normalization, valid: number, batch: number, all: number): number {
  return Math.max(1, { valid, batchSize: batch, full: all, none: 1 }[normalization]);
}
