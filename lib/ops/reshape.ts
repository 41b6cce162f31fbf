import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { axisOf, check, count, format, type Shape } from '../shape.js';

/** What `reshape` takes besides values and a name. */
export interface ReshapeOptions {
  /** New extents: 0 keeps the extent at that place, one -1 takes what is left. */
  readonly dims: Shape;
  /** First axis to replace; a negative one counts from one past the last. Default 0. */
  readonly axis?: number;
  /** How many axes to replace. Default -1, all from `axis` on. */
  readonly numAxes?: number;
}

/** The same elements under other extents. */
export const reshapeOp = defineOp({
  name: 'reshape',
  attributes({ dims, axis = 0, numAxes = -1 }: ReshapeOptions, [x]) {
    const first = axisOf(axis, x!.length, 'axis', true);
    const replaced = numAxes === -1 ? x!.length - first : numAxes;
    check(
      Number.isInteger(replaced) && replaced >= 0 && first + replaced <= x!.length,
      () => `expected numAxes between -1 and ${x!.length - first} from axis ${first} of ${format(x!)}, got ${numAxes}`,
    );
    check(
      Array.isArray(dims) && dims.every((d) => Number.isSafeInteger(d) && d >= -1),
      () => `expected dims to be a list of whole numbers of at least -1, got ${String(dims)}`,
    );
    check(dims.filter((d) => d === -1).length <= 1, () => `expected at most one -1 in dims, got ${format(dims)}`);
    return { dims, axis: first, numAxes: replaced };
  },
  outputs: ([x], { dims, axis, numAxes }) => [{ shape: reshaped(x!, dims, axis, numAxes) }],
  forward: (e) => e.alias(0, e.inputs[0]!),
  backward: (e) => [e.view(e.dy, e.inputs[0]!.shape)],
});

function reshaped(x: Shape, dims: Shape, axis: number, numAxes: number): Shape {
  const kept = dims.map((d, i) => {
    check(
      d !== 0 || axis + i < x.length,
      () => `expected a 0 in dims to stand for an axis of ${format(x)}, got one at ${axis + i}`,
    );
    return d === 0 ? x[axis + i]! : d;
  });
  const shape = [...x.slice(0, axis), ...kept, ...x.slice(axis + numAxes)];
  const free = shape.indexOf(-1);
  if (free >= 0) shape[free] = count(x) / -count(shape);
  check(
    count(shape) === count(x) && shape.every(Number.isInteger),
    () => `expected dims that keep the ${count(x)} elements of ${format(x)}, got ${format(dims)} from axis ${axis}`,
  );
  return shape;
}

/**
 * The same elements under other extents: `reshape(x, { dims: [0, -1] })` keeps the batch and joins the rest.
 * @throws {ShapeError} when the number of elements would change
 */
export function reshape(x: Value, options: ReshapeOptions & LayerOptions): Value {
  return layer(reshapeOp, [x], options)[0]!;
}
