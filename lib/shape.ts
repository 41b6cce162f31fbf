import { ShapeError } from './errors.js';

/** Extents from the outermost axis in; `[]` is a scalar. Images are N, C, H, W. */
export type Shape = readonly number[];

/** Kernels index with 64-bit integers, but a tensor must also fit one JavaScript ArrayBuffer. */
const MAX_ELEMENTS = 2 ** 33;
const MAX_RANK = 8;

/** Throws a ShapeError with `rule()` unless `condition` holds; the graph adds the layer's name in front. */
export function check(condition: boolean, rule: () => string): asserts condition {
  if (!condition) throw new ShapeError(rule());
}

export function format(shape: Shape): string {
  return `(${shape.join(', ')})`;
}

/** Number of elements in axes [from, to). */
export function count(shape: Shape, from = 0, to = shape.length): number {
  let n = 1;
  for (let i = from; i < to; i++) n *= shape[i]!;
  return n;
}

export function same(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}

/** Checks that a shape can be computed with: whole, positive extents whose product fits in memory. */
export function checkShape(shape: Shape, what: string): void {
  check(shape.length <= MAX_RANK, () => `${what}: expected at most ${MAX_RANK} axes, got ${format(shape)}`);
  for (const extent of shape) {
    check(
      Number.isSafeInteger(extent) && extent > 0,
      () => `${what}: expected whole extents of at least 1, got ${format(shape)}`,
    );
  }
  check(count(shape) <= MAX_ELEMENTS, () => `${what}: expected at most ${MAX_ELEMENTS} elements, got ${format(shape)}`);
}

/** Turns a possibly negative axis into an index; `rank` itself is allowed when `end` is set. */
export function axisOf(axis: number, rank: number, what: string, end = false): number {
  const index = axis < 0 ? axis + rank + (end ? 1 : 0) : axis;
  const limit = end ? rank : rank - 1;
  check(
    Number.isInteger(axis) && index >= 0 && index <= limit,
    () => `expected ${what} between ${-rank - (end ? 1 : 0)} and ${limit} for ${rank} axes, got ${axis}`,
  );
  return index;
}

/** A spatial setting: one number for both axes, or `[height, width]`. */
export type Pair = number | readonly [height: number, width: number];

export function pair(value: Pair, what: string, least: number): readonly [number, number] {
  // Callers in JavaScript may hand in anything: what is not a list is told as it is.
  const [h, w] = (Array.isArray(value) ? value : [value, value]) as [number, number];
  for (const v of [h, w]) {
    check(
      Number.isSafeInteger(v) && v >= least,
      () => `expected ${what} to be a whole number of at least ${least}, got ${v}`,
    );
  }
  return [h, w];
}
