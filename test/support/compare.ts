import assert from 'node:assert/strict';

type Numbers = ArrayLike<number> & Iterable<number>;

/** Largest magnitude; NaN when there is one. */
export function magnitude(values: Numbers): number {
  let most = 0;
  for (const value of values) {
    const size = Math.abs(value);
    if (Number.isNaN(size)) return NaN;
    if (size > most) most = size;
  }
  return most;
}

/**
 * Fails unless every element of `got` is within `tolerance` times the largest magnitude of `want`. Where all of `want` is
 * zero, all of `got` must be.
 */
export function assertClose(
  got: Numbers,
  want: Numbers,
  what: string,
  tolerance = 1e-5,
  scale = magnitude(want),
): void {
  assert.equal(got.length, want.length, `${what}: number of elements`);
  let worst = 0;
  let at = 0;
  for (let i = 0; i < want.length; i++) {
    const error = Math.abs(got[i]! - want[i]!);
    if (error <= worst) continue;
    worst = error;
    at = i;
    if (Number.isNaN(error)) break;
  }
  assert.ok(
    worst <= tolerance * scale,
    `${what}: element ${at} is ${got[at]}, expected ${want[at]}: off by ${(worst / scale).toExponential(2)} of the largest magnitude`,
  );
}

/** The middle of a list of numbers. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}
