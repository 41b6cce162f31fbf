import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ShapeError, type Shape } from '../../lib/index.js';
import { ops } from '../../lib/kernels.js';
import { assertAgrees, describeCaffe, doublesOf, forAll, random, seeds, shapes, type Doubles } from '../support/ops.js';

const size = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);

/** Place of an element, axis by axis. */
function placeOf(i: number, shape: Shape): number[] {
  return shape.map((extent, axis) => Math.floor(i / size(shape.slice(axis + 1))) % extent);
}

const at = (x: Doubles, place: readonly number[]): number =>
  x.data[place.reduce((i, p, axis) => i * x.shape[axis]! + p, 0)]!;

/** A shape and one of its axes, counted from either end. */
const shapeAndAxis = shapes(1, 4, 3).chain((shape) =>
  fc.tuple(fc.constant(shape), fc.integer({ min: -shape.length, max: shape.length - 1 })),
);

const indexOf = (axis: number, shape: readonly unknown[]): number => (axis < 0 ? axis + shape.length : axis);

describe('concat', () => {
  it('joins along any axis', () =>
    forAll(
      fc.tuple(shapeAndAxis, fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 }), seeds),
      async ([[shape, axis], extents, seed]) => {
        const k = indexOf(axis, shape);
        const xs = extents.map((extent, i) => random(shape.with(k, extent), seed + i));
        await assertAgrees(ops.concat, xs, { axis }, (inputs) => {
          const starts = extents.map((_, i) => extents.slice(0, i).reduce((a, b) => a + b, 0));
          const whole = shape.with(
            k,
            extents.reduce((a, b) => a + b, 0),
          );
          return [
            doublesOf(whole, (i) => {
              const place = placeOf(i, whole);
              const part = starts.findLastIndex((start) => start <= place[k]!);
              return at(inputs[part]!, place.with(k, place[k]! - starts[part]!));
            }),
          ];
        });
      },
    ));

  it('joins the same with one and two threads', async () => {
    const xs = [random([3, 7, 1999], 1), random([3, 11, 1999], 2)];
    const [one] = await ops.concat(xs, { threads: 1 });
    const [two] = await ops.concat(xs, { threads: 2 });
    assert.deepEqual(one!.data, two!.data);
    const parts = await ops.slice([two!], { points: [7], threads: 2 });
    assert.deepEqual(
      parts.map((p) => p.data),
      xs.map((x) => x.data),
    );
  });

  it('refuses what does not fit', async () => {
    await assert.rejects(ops.concat([random([2, 3], 1), random([3, 3], 1)]), {
      name: ShapeError.name,
      message: /differ in axis 1 only, got \(2, 3\) and \(3, 3\)/,
    });
    await assert.rejects(ops.concat([random([2, 3], 1), random([2], 1)]), {
      name: ShapeError.name,
      message: /differ in axis 1 only/,
    });
    await assert.rejects(ops.concat([random([2, 3], 1)], { axis: 2 }), {
      name: ShapeError.name,
      message: /axis between -2 and 1/,
    });
  });

  describeCaffe(ops.concat, {
    concat_axis1: {},
    concat_axis0: { axis: 0 },
    concat_axis2: { axis: 2 },
    concat_dim: { axis: 3 },
  });
});

describe('slice', () => {
  it('cuts along any axis', () =>
    forAll(
      fc.tuple(shapeAndAxis, fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 }), seeds),
      async ([[shape, axis], extents, seed]) => {
        const k = indexOf(axis, shape);
        const ends = extents.map((_, i) => extents.slice(0, i + 1).reduce((a, b) => a + b, 0));
        const whole = random(shape.with(k, ends.at(-1)!), seed);
        await assertAgrees(ops.slice, [whole], { axis, points: ends.slice(0, -1) }, ([x]) =>
          extents.map((extent, part) => {
            const own = shape.with(k, extent);
            return doublesOf(own, (i) => {
              const place = placeOf(i, own);
              return at(x!, place.with(k, place[k]! + ends[part]! - extent));
            });
          }),
        );
      },
    ));

  it('gives zeros for parts that nobody sends a gradient to', async () => {
    const x = random([2, 4], 1);
    const dy = random([2, 2], 2);
    const [dx] = await ops.slice.backward([x], [undefined, dy]);
    assert.deepEqual(Array.from(dx!.data), [0, 0, dy.data[0], dy.data[1], 0, 0, dy.data[2], dy.data[3]]);
  });

  it('refuses points that do not rise and parts that do not divide', async () => {
    const x = random([2, 5], 1);
    await assert.rejects(ops.slice([x], { points: [3, 3] }), {
      name: ShapeError.name,
      message: /rising whole points between 0 and 5, got 3, 3/,
    });
    await assert.rejects(ops.slice([x], { points: [5] }), { name: ShapeError.name, message: /rising whole points/ });
    await assert.rejects(ops.slice([x], { points: [1.5] }), { name: ShapeError.name, message: /rising whole points/ });
    await assert.rejects(ops.slice([x], { parts: 2 }), {
      name: ShapeError.name,
      message: /parts to divide 5 .*, got 2/,
    });
  });

  describeCaffe(ops.slice, { slice: { axis: 1, points: [1, 3] } });
});

describe('tile', () => {
  it('repeats along any axis', () =>
    forAll(fc.tuple(shapeAndAxis, fc.integer({ min: 1, max: 4 }), seeds), async ([[shape, axis], tiles, seed]) => {
      const k = indexOf(axis, shape);
      const whole = shape.with(k, shape[k]! * tiles);
      await assertAgrees(ops.tile, [random(shape, seed)], { axis, tiles }, ([x]) => [
        doublesOf(whole, (i) => {
          const place = placeOf(i, whole);
          return at(x!, place.with(k, place[k]! % shape[k]!));
        }),
      ]);
    }));

  it('refuses a number of tiles that is none', async () => {
    await assert.rejects(ops.tile([random([2, 2], 1)], { tiles: 0 }), {
      name: ShapeError.name,
      message: /tiles to be a whole number of at least 1, got 0/,
    });
  });

  describeCaffe(ops.tile, { tile: { axis: 1, tiles: 3 } });
});

/** Extents, an axis to crop from, and for each cropped axis how much stays and where it starts. */
const crops = fc
  .tuple(
    fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.nat(2), fc.nat(2)), { minLength: 1, maxLength: 4 }),
    seeds,
  )
  .chain(([axes, seed]) =>
    fc.tuple(fc.constant(axes), fc.integer({ min: -axes.length, max: axes.length - 1 }), fc.constant(seed)),
  );

describe('crop', () => {
  it('cuts a box out', () =>
    forAll(crops, async ([axes, axis, seed]) => {
      const first = indexOf(axis, axes);
      const box = axes.map(([kept]) => kept);
      const shape = axes.map(([kept, before, after], i) => (i < first ? kept : kept + before + after));
      const offsets = axes.map(([, before]) => before).slice(first);
      await assertAgrees(ops.crop, [random(shape, seed), random(box, seed + 1)], { axis, offsets }, ([x]) => [
        doublesOf(box, (i) =>
          at(
            x!,
            placeOf(i, box).map((p, k) => (k < first ? p : p + offsets[k - first]!)),
          ),
        ),
      ]);
    }));

  it('cuts the same with one and two threads', async () => {
    const inputs = [random([2, 9, 130, 70], 1), random([2, 9, 128, 64], 2)];
    const dy = random([2, 9, 128, 64], 3);
    const [one] = await ops.crop.backward(inputs, [dy], { offsets: [1, 3], threads: 1 });
    const [two] = await ops.crop.backward(inputs, [dy], { offsets: [1, 3], threads: 2 });
    assert.deepEqual(one!.data, two!.data);
  });

  it('refuses a box that sticks out', async () => {
    const x = random([1, 2, 4, 4], 1);
    await assert.rejects(ops.crop([x, random([1, 2, 3, 3], 1)], { offsets: 2 }), {
      name: ShapeError.name,
      message: /crop of \(1, 2, 3, 3\) at offsets \(0, 0, 2, 2\) to lie within \(1, 2, 4, 4\)/,
    });
    await assert.rejects(ops.crop([x, random([1, 2, 3, 3], 1)], { offsets: [1, 1, 1] }), {
      name: ShapeError.name,
      message: /1 or 2 offsets from axis 2/,
    });
    await assert.rejects(ops.crop([x, random([3, 3], 1)]), {
      name: ShapeError.name,
      message: /reference of 4 axes, got \(3, 3\)/,
    });
    await assert.rejects(ops.crop([x, x], { offsets: -1 }), {
      name: ShapeError.name,
      message: /offsets of at least 0, got -1/,
    });
  });

  describeCaffe(ops.crop, { crop: { axis: 2, offsets: [1, 2] } });
});

describe('pad', () => {
  it('puts zeros around a tensor', () =>
    forAll(crops, async ([axes, , seed]) => {
      const shape = axes.map(([extent]) => extent);
      const [before, after] = [axes.map(([, n]) => n), axes.map(([, , n]) => n)];
      const wide = shape.map((extent, i) => before[i]! + extent + after[i]!);
      await assertAgrees(ops.pad, [random(shape, seed)], { before, after }, ([x]) => [
        doublesOf(wide, (i) => {
          const place = placeOf(i, wide).map((p, k) => p - before[k]!);
          return place.every((p, k) => p >= 0 && p < shape[k]!) ? at(x!, place) : 0;
        }),
      ]);
    }));

  it('refuses pads that do not fit the axes', async () => {
    for (const before of [[1], [1, -1], [1, 0.5]])
      await assert.rejects(ops.pad([random([2, 2], 1)], { before, after: [0, 0] }), {
        name: ShapeError.name,
        message: /expected before to be 2 whole numbers of at least 0/,
      });
  });
});
