import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { axisOf, check } from '../shape.js';
import { MAX_TENSORS } from './limits.js';

/** What `slice` takes besides values and a name. */
export interface SliceOptions {
  /** Default 1 (channels). */
  readonly axis?: number;
  /** Where to cut, rising: `[1, 3]` makes 0…1, 1…3 and 3…end. Default: `parts` equal parts. */
  readonly points?: readonly number[];
  /** Number of equal parts when no points are given. Default 2. */
  readonly parts?: number;
}

/** Cuts a tensor along an axis. */
export const sliceOp = defineOp({
  name: 'slice',

  attributes(options: SliceOptions, [x]) {
    const axis = axisOf(options.axis ?? 1, x!.length, 'axis');
    const size = x![axis]!;
    return { axis, extents: options.points ? cutAt(options.points, size) : equalParts(options.parts ?? 2, size) };
  },

  outputs: ([x], { axis, extents }) => extents.map((extent) => ({ shape: x!.with(axis, extent) })),

  forward(e) {
    if (e.outputs.length === 1) e.alias(0, e.inputs[0]!);
    else e.run('slice', e.inputs, e.outputs);
  },

  backward(e) {
    if (e.outputs.length === 1) return [e.dy];
    const dx = e.temp(e.inputs[0]!.shape);
    const dys = e.outputs.map((_, i) => e.dyOrZeros(i));
    e.run('concat', dys, [dx]);
    return [dx];
  },
});

function cutAt(points: readonly number[], size: number): number[] {
  check(points.length < MAX_TENSORS, () => `expected fewer than ${MAX_TENSORS} points, got ${points.length}`);
  const ends = [...points, size];
  return ends.map((end, i) => {
    const start = i === 0 ? 0 : ends[i - 1]!;
    check(
      Number.isInteger(end) && end > start,
      () => `expected rising whole points between 0 and ${size}, got ${points.join(', ')}`,
    );
    return end - start;
  });
}

function equalParts(parts: number, size: number): number[] {
  check(
    Number.isSafeInteger(parts) && parts > 0 && parts <= MAX_TENSORS && size % parts === 0,
    () => `expected parts to divide ${size} (and be at most ${MAX_TENSORS}), got ${parts}`,
  );
  return Array.from({ length: parts }, () => size / parts);
}

/** Cuts `x` along `axis` at `points`, or into `parts` equal parts. @throws {ShapeError} when the points do not rise, or the parts do not divide the extent */
export function slice(x: Value, options: SliceOptions & LayerOptions = {}): readonly Value[] {
  return layer(sliceOp, [x], options);
}
