import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ShapeError } from '../../lib/index.js';
import { ops } from '../../lib/kernels.js';
import {
  assertAgrees,
  assertClose,
  describeCaffe,
  doubles,
  forAll,
  random,
  seeds,
  shapes,
  tensorOf,
  whole,
  type Loops,
} from '../support/ops.js';
import { softmaxOf } from '../support/classes.js';

const loops =
  (axis: number): Loops =>
  ([x]) => [softmaxOf(x!, axis)];

const cases = shapes(1, 4).chain((shape) => fc.tuple(fc.constant(shape), fc.nat(shape.length - 1), seeds));

describe('softmax', () => {
  it('agrees with plain loops', () =>
    forAll(cases, async ([shape, axis, seed]) => {
      await assertAgrees(ops.softmax, [random(shape, seed, { min: -3, max: 3 })], { axis }, loops(axis));
    }));

  it('agrees on long rows and wide planes, on any number of threads', async () => {
    for (const shape of [
      [3, 1000],
      [2, 5, 300],
      [1, 3, 17, 31],
      [2, 3, 100, 100],
    ]) {
      const x = random(shape, 8, { min: -20, max: 20 });
      const dy = random(shape, 9);
      const [want] = loops(1)([doubles(x)]);
      for (const threads of [1, 3]) {
        const [y] = await ops.softmax([x], { threads });
        assertClose(y!.data, want!.data, 'y');
        const [dx] = await ops.softmax.backward([x], [dy], { threads });
        const one = await ops.softmax.backward([x], [dy], { threads: 1 });
        assert.deepEqual(dx!.data, one[0]!.data);
      }
    }
  });

  it('survives large scores and sums to one', async () => {
    const [y] = await ops.softmax([{ data: Float32Array.of(1000, 1001, -1000), shape: [1, 3] }]);
    assertClose(y!.data, [1 / (1 + Math.E), Math.E / (1 + Math.E), 0], 'y');
  });

  it('refuses an axis that is not there', async () => {
    await assert.rejects(ops.softmax([random([2, 3], 1)], { axis: 2 }), {
      name: ShapeError.name,
      message: /axis between -2 and 1/,
    });
  });

  describeCaffe(ops.softmax, { softmax_2d: {}, softmax_spatial: {}, softmax_axis2: { axis: 2 }, softmax_large: {} });
});

describe('argmax', () => {
  it('agrees with sorting', () =>
    forAll(
      fc.tuple(cases, fc.boolean(), fc.integer({ min: 1, max: 3 })),
      async ([[shape, axis, seed], outMaxVal, k]) => {
        const x = whole(shape, 4, seed); // many ties
        const topK = Math.min(k, shape[axis]!);
        const [y] = await ops.argmax([x], { axis, topK, outMaxVal });
        const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
        const want = tensorOf(
          shape.map((extent, i) => (i === axis ? topK : extent)),
          (i) => {
            const [rank, first] = [
              Math.floor(i / inner) % topK,
              Math.floor(i / inner / topK) * shape[axis]! * inner + (i % inner),
            ];
            const order = Array.from({ length: shape[axis]! }, (_, c) => c).sort(
              (a, b) => x.data[first + b * inner]! - x.data[first + a * inner]! || b - a,
            );
            return outMaxVal ? x.data[first + order[rank]! * inner]! : order[rank]!;
          },
        );
        assert.deepEqual(y!.shape, want.shape);
        assert.deepEqual(y!.data, want.data);
      },
    ));

  it('finds the same in long rows and wide planes', async () => {
    for (const [shape, topK] of [
      [[3, 1000], 5],
      [[2, 600, 3, 2], 300],
      [[2, 3, 100, 100], 2],
    ] as const) {
      const x = whole(shape, 50, 6);
      const inner = shape.slice(2).reduce((a, b) => a * b, 1);
      const [y] = await ops.argmax([x], { axis: 1, topK });
      const rows = Array.from({ length: shape[0] * inner }, (_, row) => {
        const [outer, place] = [Math.floor(row / inner), row % inner];
        const value = (c: number): number => x.data[(outer * shape[1] + c) * inner + place]!;
        const order = Array.from({ length: shape[1] }, (_, c) => c).sort((a, b) => value(b) - value(a) || b - a);
        return { found: (rank: number) => y!.data[(outer * topK + rank) * inner + place], order };
      });
      for (const { found, order } of rows) for (let i = 0; i < topK; i++) assert.equal(found(i), order[i]);
    }
  });

  it('orders zeros of either sign, infinities and NaN', async () => {
    const x = { data: Float32Array.of(-0, NaN, 0, -Infinity, Infinity, -0, NaN, 1e-45, -1e-45), shape: [1, 9] };
    const [y] = await ops.argmax([x], { axis: 1, topK: 9 });
    assert.deepEqual(y!.data, Float32Array.of(4, 7, 5, 2, 0, 8, 3, 6, 1));
  });

  it('flattens all axes but the first without an axis', async () => {
    const x = { data: Float32Array.of(1, 5, NaN, 5, 0, -1, 2, 9), shape: [2, 2, 1, 2] };
    const [places] = await ops.argmax([x], { topK: 2 });
    assert.deepEqual(places, { data: Float32Array.of(3, 1, 3, 2), shape: [2, 1, 2, 1] });
    const [both] = await ops.argmax([x], { topK: 2, outMaxVal: true });
    assert.deepEqual(both, { data: Float32Array.of(3, 1, 5, 5, 3, 2, 9, 2), shape: [2, 2, 2, 1] });
  });

  it('refuses to find more than there is', async () => {
    await assert.rejects(ops.argmax([random([2, 3], 1)], { topK: 4 }), {
      name: ShapeError.name,
      message: /topK between 1 and 3, got 4/,
    });
  });

  describeCaffe(ops.argmax, { argmax: { topK: 2, outMaxVal: true } });
});
