import { pause } from '../bytes.js';
import { count, type Shape } from '../shape.js';
import { view, type View } from './elements.js';

/** Where the elements of a tensor lie among others: `offset + Σ index · stride`, counted in elements. */
export interface Layout {
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
}

type Words = Uint8Array | Uint16Array | Uint32Array | BigUint64Array;

/** What copies elements of that many bytes without looking at them. */
const WORDS: Readonly<Record<number, View<Words>>> = {
  1: Uint8Array,
  2: Uint16Array,
  4: Uint32Array,
  8: BigUint64Array,
};

/** Elements copied between two turns of the event loop. */
const STEP = 1 << 18;

/** Strides of C order: the last axis runs fastest. */
export function rowMajor(shape: Shape): number[] {
  return shape.map((_, axis) => count(shape, axis + 1));
}

/** Strides of Fortran order: the first axis runs fastest. */
export function columnMajor(shape: Shape): number[] {
  return shape.map((_, axis) => count(shape, 0, axis));
}

/** One past the last element that a layout reaches; 0 for one without elements. Strides are at least 0. */
export function reach({ shape, strides, offset }: Layout): number {
  if (count(shape) === 0) return 0;
  return shape.reduce((sum, extent, axis) => sum + (extent - 1) * strides[axis]!, offset) + 1;
}

/** Whether the elements lie one behind another in C order. Axes of extent 1 are never stepped along. */
export function isContiguous({ shape, strides }: Layout): boolean {
  const dense = rowMajor(shape);
  return count(shape) === 0 || shape.every((extent, axis) => extent === 1 || strides[axis] === dense[axis]);
}

/** The elements in C order, gathered from where they lie. */
export function gather(source: Uint8Array, size: number, layout: Layout): Uint8Array {
  const { target, rows, fill } = gathering(source, size, layout);
  fill(0, rows);
  return target;
}

/** The same without holding up the event loop. */
export async function gatherSlowly(source: Uint8Array, size: number, layout: Layout): Promise<Uint8Array> {
  const { target, rows, fill } = gathering(source, size, layout);
  const step = Math.max(1, Math.floor((STEP * rows) / Math.max(1, target.length / size)));
  for (let from = 0; from < rows; from += step) {
    if (from > 0) await pause();
    fill(from, Math.min(rows, from + step));
  }
  return target;
}

function gathering(
  source: Uint8Array,
  size: number,
  layout: Layout,
): { target: Uint8Array; rows: number; fill: (from: number, to: number) => void } {
  if (size === 16) {
    // Two words for each element: an axis of their own.
    const { shape, strides, offset } = layout;
    const halves = { shape: [...shape, 2], strides: [...strides.map((s) => 2 * s), 1], offset: 2 * offset };
    return gathering(source, 8, halves);
  }
  const { shape, strides, offset } = layout;
  const target = new Uint8Array(count(shape) * size);
  const from = view(WORDS[size]!, source);
  const to = view(WORDS[size]!, target);
  const run = shape.at(-1) ?? 1;
  const stride = strides.at(-1) ?? 1;
  const rows = target.length === 0 ? 0 : to.length / run;
  const fill = (first: number, last: number): void => {
    for (let row = first; row < last; row++) {
      let at = offset;
      for (let axis = shape.length - 2, rest = row; axis >= 0; axis--) {
        at += (rest % shape[axis]!) * strides[axis]!;
        rest = Math.floor(rest / shape[axis]!);
      }
      for (let i = 0; i < run; i++) to[row * run + i] = from[at + i * stride]!;
    }
  };
  return { target, rows, fill };
}
