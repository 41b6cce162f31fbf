import { axisOf, check, format, type Shape } from '../shape.js';

/** Where a smaller tensor lies along a bigger one's axes. */
export interface AlongOptions {
  /** First axis of x that the other tensor lies along. Default 1. */
  readonly axis?: number;
  /** How many axes it has; −1: all that follow, 0: it is a scalar. Only where it is a parameter. Default 1. */
  readonly numAxes?: number;
}

/** The axes [axis, axis + numAxes) of x, checked against the other tensor where that is an input. @throws {ShapeError} */
export function along(
  options: AlongOptions,
  x: Shape | undefined,
  other: Shape | undefined,
): { readonly axis: number; readonly numAxes: number } {
  check(x !== undefined, () => 'expected an input');
  const wanted = options.numAxes ?? 1;
  check(
    Number.isSafeInteger(wanted) && wanted >= -1,
    () => `expected numAxes to be a whole number of at least -1, got ${wanted}`,
  );
  if (other ? other.length === 0 : wanted === 0) return { axis: 0, numAxes: 0 };
  const axis = axisOf(options.axis ?? 1, x.length, 'axis');
  const numAxes = other ? other.length : wanted === -1 ? x.length - axis : wanted;
  check(axis + numAxes <= x.length, () => `expected ${numAxes} axes from axis ${axis} on to fit ${format(x)}`);
  return { axis, numAxes };
}

/** Checks that a tensor has the extents of x on those axes. @throws {ShapeError} */
export function checkAlong(x: Shape, other: Shape | undefined, axis: number, numAxes: number, what: string): void {
  const expected = x.slice(axis, axis + numAxes);
  const fits = other?.length === numAxes && other.every((extent, i) => extent === expected[i]);
  check(
    fits,
    () => `expected ${what} ${format(expected)} along axis ${axis} of ${format(x)}, got ${format(other ?? [])}`,
  );
}
