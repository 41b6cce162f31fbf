import assert from 'node:assert/strict';
import fc from 'fast-check';
import { add, graph, input, ShapeError } from '../../lib/index.js';
import { ops } from '../../lib/kernels.js';
import {
  assertAgrees,
  describeCaffe,
  distinct,
  forAll,
  random,
  seeds,
  shapes,
  tensorOf,
  type Doubles,
  type Loops,
} from '../support/ops.js';

const fold =
  (f: (values: number[]) => number): Loops =>
  (inputs) => [
    { data: inputs[0]!.data.map((_, i) => f(inputs.map((x: Doubles) => x.data[i]!))), shape: inputs[0]!.shape },
  ];

const several = fc.tuple(shapes(0, 4), seeds, fc.integer({ min: 1, max: 5 }));

describe('eltwise', () => {
  it('sums with coefficients', () =>
    forAll(
      fc.tuple(several, fc.constantFrom([1, 1, 1, 1, 1], [0.5, -1, 2, 2, 0.5])),
      async ([[shape, seed, n], all]) => {
        const coefficients = all.slice(0, n);
        const xs = coefficients.map((_, i) => random(shape, seed + i));
        await assertAgrees(
          ops.eltwise,
          xs,
          { coefficients },
          fold((values) => values.reduce((sum, v, i) => sum + v * coefficients[i]!, 0)),
        );
      },
    ));

  for (const stableGradient of [true, false]) {
    it(`multiplies, gradient ${stableGradient ? 'from the other factors' : 'from the quotient'}`, () =>
      forAll(several, async ([shape, seed, n]) => {
        const xs = Array.from({ length: n }, (_, i) => random(shape, seed + i, { min: -2, max: 2, avoid: [0] }));
        await assertAgrees(
          ops.eltwise,
          xs,
          { operation: 'prod', stableGradient },
          fold((values) => values.reduce((a, b) => a * b)),
        );
      }));
  }

  it('takes the maximum', () =>
    forAll(several, async ([shape, seed, n]) => {
      const all = distinct([n, ...shape], seed);
      const length = all.data.length / n;
      const xs = Array.from({ length: n }, (_, i) => ({ data: all.data.slice(i * length, (i + 1) * length), shape }));
      await assertAgrees(
        ops.eltwise,
        xs,
        { operation: 'max' },
        fold((values) => Math.max(...values)),
      );
    }));

  it('gives the gradient of a tie to the second of the first two, and to no later one', async () => {
    const one = tensorOf([1], () => 1);
    const dys = await ops.eltwise.backward([one, one, one], [tensorOf([1], () => 7)], { operation: 'max' });
    assert.deepEqual(
      dys.map((dy) => dy.data[0]),
      [0, 7, 0],
    );
  });

  it('multiplies by zero and still has a gradient', async () => {
    const zero = tensorOf([1], () => 0);
    const three = tensorOf([1], () => 3);
    const dys = await ops.eltwise.backward([zero, three], [tensorOf([1], () => 2)], { operation: 'prod' });
    assert.deepEqual(
      dys.map((dy) => dy.data[0]),
      [6, 0],
    );
  });

  it('may combine a value with itself', () => {
    const net = graph({ x: input([4]) }, ({ x }) => ({ y: add(x, x) }));
    assert.deepEqual(net.outputs.y.shape, [1, 4]);
  });

  it('refuses what does not fit', async () => {
    const a = random([2, 3], 1);
    await assert.rejects(ops.eltwise([a, random([3, 2], 1)]), {
      name: ShapeError.name,
      message: /inputs of one shape, got \(2, 3\) and \(3, 2\)/,
    });
    await assert.rejects(ops.eltwise([a, a], { coefficients: [1] }), {
      name: ShapeError.name,
      message: /one coefficient for each of 2 inputs, got 1/,
    });
    await assert.rejects(ops.eltwise([a, a], { operation: 'max', coefficients: [1, 1] }), {
      name: ShapeError.name,
      message: /coefficients with sum only/,
    });
    await assert.rejects(ops.eltwise([a, a], { operation: 'min' as 'max' }), {
      name: ShapeError.name,
      message: /one of sum, prod, max, got min/,
    });
  });

  describeCaffe(ops.eltwise, {
    eltwise_sum: {},
    eltwise_sum_coeff: { coefficients: [0.5, -1, 2] },
    eltwise_prod: { operation: 'prod' },
    eltwise_prod_unstable: { operation: 'prod', stableGradient: false },
    eltwise_max: { operation: 'max' },
  });
});
