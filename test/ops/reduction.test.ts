import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ShapeError, UsageError } from '../../lib/index.js';
import { ops } from '../../lib/kernels.js';
import {
  assertAgrees,
  describeCaffe,
  doublesOf,
  forAll,
  fractions,
  random,
  seeds,
  shapes,
  type Loops,
} from '../support/ops.js';

const term = { sum: (x: number) => x, asum: Math.abs, sumsq: (x: number) => x * x, mean: (x: number) => x };
type Operation = keyof typeof term;

const loops =
  (operation: Operation, axis: number, coefficient: number): Loops =>
  ([x]) => {
    const kept = x!.shape.slice(0, axis);
    const width = x!.shape.slice(axis).reduce((a, b) => a * b, 1);
    const factor = operation === 'mean' ? coefficient / width : coefficient;
    return [
      doublesOf(
        kept,
        (row) =>
          factor * x!.data.subarray(row * width, (row + 1) * width).reduce((sum, v) => sum + term[operation](v), 0),
      ),
    ];
  };

const cases = shapes(1, 4).chain((shape) =>
  fc.tuple(
    fc.constant(shape),
    fc.nat(shape.length - 1),
    fc.constantFrom<Operation>('sum', 'asum', 'sumsq', 'mean'),
    fractions(-2, 2),
    seeds,
  ),
);

describe('reduction', () => {
  it('agrees with plain loops', () =>
    forAll(cases, async ([shape, axis, operation, coefficient, seed]) => {
      const x = random(shape, seed, { avoid: [0] });
      // A sum may cancel: what it is off by is judged by the size of its terms.
      await assertAgrees(ops.reduction, [x], { operation, axis, coefficient }, loops(operation, axis, coefficient), {
        tolerance: 1e-4,
      });
    }));

  it('adds up long rows accurately, whatever the number of threads', async () => {
    const x = random([2, 300_007], 3, { min: 0, max: 1 });
    for (const threads of [1, 2, 3]) {
      for (const operation of ['sum', 'asum', 'sumsq', 'mean'] as const) {
        for (const axis of [0, 1]) {
          await assertAgrees(ops.reduction, [x], { operation, axis, threads }, loops(operation, axis, 1), {
            tolerance: 1e-6,
            wrt: [],
          });
        }
      }
    }
  });

  it('counts a negative axis from the end', async () => {
    const [y] = await ops.reduction([random([2, 3, 4], 1)], { axis: -1 });
    assert.deepEqual(y!.shape, [2, 3]);
  });

  it('gives zero slope to the magnitude of zero', async () => {
    const zero = random([1], 1, { min: 0, max: 0 });
    const [dx] = await ops.reduction.backward([zero], [random([], 2)], { operation: 'asum' });
    assert.equal(dx!.data[0], 0);
  });

  it('refuses options that make no sense', async () => {
    const x = random([2, 3], 1);
    await assert.rejects(ops.reduction([x], { axis: 2 }), {
      name: ShapeError.name,
      message: /axis between -2 and 1 for 2 axes, got 2/,
    });
    await assert.rejects(ops.reduction([x], { operation: 'product' as 'sum' }), {
      name: ShapeError.name,
      message: /one of sum, asum, sumsq, mean, got product/,
    });
    await assert.rejects(ops.reduction([x], { coefficient: NaN }), {
      name: UsageError.name,
      message: /coefficient to be a finite number/,
    });
  });

  describeCaffe(ops.reduction, { reduction_asum: { operation: 'asum', axis: 1, coefficient: 0.5 } });
});
