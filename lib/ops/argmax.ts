import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { axisOf, check, count, type Shape } from '../shape.js';

/** What `argmax` takes besides values and a name. */
export interface ArgmaxOptions {
  /** How many of the largest. Default 1. */
  readonly topK?: number;
  /** Search along this axis. Default: over all axes but the first, flattened. */
  readonly axis?: number;
  /** With an axis: the values instead of their places. Without: the values behind the places. Default false. */
  readonly outMaxVal?: boolean;
}

/** Places (as floats) or values of the largest elements: argmax_layer.cpp. Of equal elements the last comes first. */
export const argmaxOp = defineOp({
  name: 'argmax',
  attributes({ topK = 1, axis, outMaxVal = false }: ArgmaxOptions, [x]) {
    const flat = axis === undefined;
    const from = flat ? Math.min(1, x!.length) : axisOf(axis, x!.length, 'axis');
    const numAxes = flat ? x!.length - from : 1;
    const size = count(x!, from, from + numAxes);
    check(
      Number.isSafeInteger(topK) && topK > 0 && topK <= size,
      () => `expected topK between 1 and ${size}, got ${topK}`,
    );
    return {
      topK,
      axis: from,
      numAxes,
      indices: flat || !outMaxVal ? 1 : 0,
      values: outMaxVal ? 1 : 0,
      flat: flat ? 1 : 0,
    };
  },
  outputs: ([x], a) => [{ shape: shapeOf(x!, a) }],
  forward(e) {
    const { topK, axis, numAxes, indices, values } = e.attributes;
    e.run('argmax', e.inputs, e.outputs, { topK, axis, numAxes, indices, values });
  },
});

/** Caffe's shapes: N × (1 or 2) × topK × 1… when flat, else the input's with topK on the axis. */
function shapeOf(x: Shape, a: Readonly<Record<'topK' | 'axis' | 'indices' | 'values' | 'flat', number>>): Shape {
  if (!a.flat) return x.map((extent, i) => (i === a.axis ? a.topK : extent));
  const ones = Array.from({ length: Math.max(0, x.length - 3) }, () => 1);
  return [x[0] ?? 1, a.indices + a.values, a.topK, ...ones];
}

/**
 * The `topK` largest elements of `x`, largest first; no gradient. Without an axis the result is (N, 1, topK), or (N, 2, topK)
 * with `outMaxVal`, and as many axes of extent 1 as `x` has beyond three.
 * @throws {ShapeError}
 */
export function argmax(x: Value, options: ArgmaxOptions & LayerOptions = {}): Value {
  return layer(argmaxOp, [x], options)[0]!;
}
