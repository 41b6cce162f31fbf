import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ShapeError } from '../../lib/index.js';
import { ops } from '../../lib/kernels.js';
import { assertAgrees, doublesOf, forAll, random, seeds, shapes, tensorOf, whole } from '../support/ops.js';

const extent = fc.integer({ min: 1, max: 6 });

describe('embed', () => {
  it('picks rows and adds the bias', () =>
    forAll(fc.tuple(shapes(0, 3), extent, extent, fc.boolean(), seeds), async ([shape, rows, units, bias, seed]) => {
      const inputs = [
        whole(shape, rows, seed),
        random([rows, units], seed + 1),
        ...(bias ? [random([units], seed + 2)] : []),
      ];
      await assertAgrees(
        ops.embed,
        inputs,
        { bias },
        ([x, weight, b]) => [
          doublesOf(
            [...shape, units],
            (i) => weight!.data[x!.data[Math.floor(i / units)]! * units + (i % units)]! + (b?.data[i % units] ?? 0),
          ),
        ],
        { wrt: bias ? [1, 2] : [1] },
      );
    }));

  it('adds up rows named twice the same with one and two threads', async () => {
    const inputs = [whole([400], 7, 1), random([7, 5003], 2), random([5003], 3)];
    const dy = random([400, 5003], 4);
    const one = await ops.embed.backward(inputs, [dy], { threads: 1 });
    const two = await ops.embed.backward(inputs, [dy], { threads: 2 });
    assert.deepEqual(
      one.map((t) => t.data),
      two.map((t) => t.data),
    );
  });

  it('shows a number without a row as NaN, and keeps it out of the gradient', async () => {
    const inputs = [tensorOf([4], (i) => [-1, 2, NaN, 1e30][i]!), random([2, 3], 1), random([3], 2)];
    const [y] = await ops.embed(inputs);
    assert.ok(y!.data.every(Number.isNaN));
    const [, dweight] = await ops.embed.backward(inputs, [random([4, 3], 3)]);
    assert.ok(dweight!.data.every((v) => v === 0));
  });

  it('refuses a table without rows', async () => {
    const inputs = [tensorOf([1], () => 0), random([2, 3], 1), random([3], 2)];
    await assert.rejects(ops.embed(inputs, { rows: 0 }), {
      name: ShapeError.name,
      message: /rows to be a whole number of at least 1, got 0/,
    });
    await assert.rejects(ops.embed([inputs[0]!, inputs[1]!, random([2], 2)]), {
      name: ShapeError.name,
      message: /shape \(3\), got .*\(2\)/,
    });
  });
});

describe('batchReindex', () => {
  it('picks, repeats and reorders entries of the batch', () =>
    forAll(fc.tuple(shapes(1, 4), extent, seeds), async ([shape, n, seed]) => {
      const row = shape.slice(1).reduce((a, b) => a * b, 1);
      const inputs = [random(shape, seed), whole([n], shape[0]!, seed + 1)];
      await assertAgrees(
        ops.batchReindex,
        inputs,
        {},
        ([x, numbers]) => [
          doublesOf([n, ...shape.slice(1)], (i) => x!.data[numbers!.data[Math.floor(i / row)]! * row + (i % row)]!),
        ],
        { wrt: [0] },
      );
    }));

  it('refuses numbers that are not a list', async () => {
    await assert.rejects(ops.batchReindex([random([2, 3], 1), random([1, 1], 1)]), {
      name: ShapeError.name,
      message: /numbers of 1 axis, got \(1, 1\)/,
    });
  });
});
