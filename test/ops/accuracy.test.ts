import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ShapeError } from '../../lib/index.js';
import { ops } from '../../lib/kernels.js';
import { rowsOf } from '../support/classes.js';
import { assertAgrees, describeCaffe, forAll, random, seeds, shapes, whole, type Loops } from '../support/ops.js';

const loops =
  (axis: number, topK: number, ignoreLabel: number): Loops =>
  ([x, labels]) => {
    const { classes, at } = rowsOf(x!.shape, axis);
    const right = new Float64Array(classes);
    const all = new Float64Array(classes);
    let [hits, count] = [0, 0];
    labels!.data.forEach((label, row) => {
      if (label === ignoreLabel) return;
      count++;
      if (label >= classes) return;
      let better = 0;
      for (let k = 0; k < classes; k++) if (k !== label && x!.data[at(row, k)]! >= x!.data[at(row, label)]!) better++;
      all[label]!++;
      if (better >= topK) return;
      hits++;
      right[label]!++;
    });
    return [
      { data: Float64Array.of(count === 0 ? 0 : hits / count), shape: [] },
      { data: right.map((n, k) => (all[k] === 0 ? 0 : n / all[k]!)), shape: [classes] },
    ];
  };

describe('accuracy', () => {
  it('agrees with plain loops', () =>
    forAll(
      fc.tuple(shapes(2, 4), fc.nat(3), fc.integer({ min: 1, max: 3 }), fc.nat(2), seeds),
      async ([shape, wanted, k, beyond, seed]) => {
        const axis = wanted % shape.length;
        const classes = shape[axis]!;
        const topK = Math.min(k, classes);
        const x = whole(shape, 6, seed); // many ties
        const labels = whole(
          shape.filter((_, i) => i !== axis),
          classes + beyond,
          seed + 1,
        );
        const options = { axis, topK, ignoreLabel: classes, perClass: true };
        await assertAgrees(ops.accuracy, [x, labels], options, loops(axis, topK, classes), { wrt: [] });
      },
    ));

  it('agrees on wide planes and on long rows', async () => {
    for (const [shape, topK] of [
      [[2, 3, 100, 100], 2],
      [[5, 1000], 30],
      [[2, 600, 3, 2], 5],
    ] as const) {
      const x = whole(shape, 100, 1);
      const labels = whole([shape[0], ...shape.slice(2)], shape[1], 2);
      await assertAgrees(ops.accuracy, [x, labels], { topK, perClass: true }, loops(1, topK, NaN), { wrt: [] });
    }
  });

  it('never takes NaN for a right answer', async () => {
    const [share] = await ops.accuracy([{ data: Float32Array.of(NaN, NaN, 1, NaN), shape: [2, 2] }, whole([2], 1, 1)]);
    assert.equal(share!.data[0], 0);
  });

  it('counts labels that name no class as wrong', async () => {
    const labels = { data: Float32Array.of(0, 9, -3, NaN), shape: [4] };
    const [share] = await ops.accuracy([{ data: Float32Array.of(1, 0, 1, 0, 1, 0, 1, 0), shape: [4, 2] }, labels]);
    assert.equal(share!.data[0], 0.25);
  });

  it('refuses options that make no sense', async () => {
    const inputs = [random([2, 3], 1), whole([2], 3, 1)];
    await assert.rejects(ops.accuracy(inputs, { topK: 4 }), {
      name: ShapeError.name,
      message: /topK between 1 and the 3 classes, got 4/,
    });
    await assert.rejects(ops.accuracy(inputs, { axis: 0 }), { name: ShapeError.name, message: /expected 3 labels/ });
  });

  describeCaffe(ops.accuracy, {
    acc_top1: {},
    acc_top5: { topK: 5 },
    acc_ties: { topK: 2 },
    acc_ignore: { ignoreLabel: 7 },
    acc_per_class: { perClass: true },
  });
});
