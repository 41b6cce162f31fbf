import assert from 'node:assert/strict';
import fc from 'fast-check';
import { UsageError } from '../../lib/index.js';
import { ops } from '../../lib/kernels.js';
import { assertAgrees, forAll, fractions, random, seeds, shapes, tensorOf } from '../support/ops.js';

describe('swish', () => {
  it('agrees with its function and slope', () =>
    forAll(fc.tuple(shapes(0, 4), seeds, fractions(-2, 2)), async ([shape, seed, beta]) => {
      await assertAgrees(ops.swish, [random(shape, seed, { min: -4, max: 4 })], { beta }, ([x]) => [
        { data: x!.data.map((v) => v / (1 + Math.exp(-beta * v))), shape: x!.shape },
      ]);
    }));

  it('refuses a beta that is not finite', async () => {
    await assert.rejects(ops.swish([tensorOf([2], () => 1)], { beta: NaN }), UsageError);
  });
});
