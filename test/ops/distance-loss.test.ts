import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ShapeError } from '../../lib/index.js';
import { ops } from '../../lib/kernels.js';
import { divisor, type Normalization } from '../support/classes.js';
import {
  assertAgrees,
  assertClose,
  centralDifferences,
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

const scalar = (value: number) => ({ data: Float64Array.of(value), shape: [] });

describe('euclideanLoss', () => {
  const loops: Loops = ([a, b]) => [
    scalar(a!.data.reduce((sum, v, i) => sum + (v - b!.data[i]!) ** 2, 0) / (2 * a!.shape[0]!)),
  ];

  it('agrees with plain loops, both ways', () =>
    forAll(fc.tuple(shapes(1, 4), seeds), async ([shape, seed]) => {
      await assertAgrees(ops.euclideanLoss, [random(shape, seed), random(shape, seed + 1)], {}, loops);
    }));

  it('gives the same bits on any number of threads', async () => {
    const inputs = [random([3, 70_001], 1), random([3, 70_001], 2)];
    const [one] = await ops.euclideanLoss(inputs, { threads: 1 });
    const [three] = await ops.euclideanLoss(inputs, { threads: 3 });
    assertClose(one!.data, loops(inputs.map(doubles))[0]!.data, 'loss', 1e-6);
    assert.equal(one!.data[0], three!.data[0]);
  });

  it('refuses inputs of different extents', async () => {
    await assert.rejects(ops.euclideanLoss([random([2, 3], 1), random([3, 2], 1)]), {
      name: ShapeError.name,
      message: /inputs of the same extents, got \(2, 3\) and \(3, 2\)/,
    });
  });

  describeCaffe(ops.euclideanLoss, { euclidean: {}, euclidean_weight: {} });
});

describe('sigmoidCrossEntropyLoss', () => {
  const loops =
    (normalization: Normalization, ignoreLabel: number): Loops =>
    ([x, target]) => {
      let [sum, valid] = [0, 0];
      x!.data.forEach((v, i) => {
        const t = target!.data[i]!;
        if (Math.trunc(t) === ignoreLabel) return;
        valid++;
        sum += Math.max(v, 0) - v * t + Math.log1p(Math.exp(-Math.abs(v)));
      });
      return [scalar(sum / divisor(normalization, valid, x!.shape[0]!, x!.data.length))];
    };

  it('agrees with plain loops', () =>
    forAll(
      fc.tuple(shapes(1, 4), fc.constantFrom<Normalization>('valid', 'batchSize', 'full', 'none'), fc.boolean(), seeds),
      async ([shape, normalization, ignore, seed]) => {
        const x = random(shape, seed, { min: -5, max: 5 });
        const target = random(shape, seed + 1, { min: 0, max: ignore ? 1.4 : 1 });
        const options = { normalization, ignoreLabel: 1 };
        await assertAgrees(ops.sigmoidCrossEntropyLoss, [x, target], options, loops(normalization, 1), { wrt: [0] });
      },
    ));

  it('does not overflow', async () => {
    const x = { data: Float32Array.of(200, -200), shape: [1, 2] };
    const [loss] = await ops.sigmoidCrossEntropyLoss([x, tensorOf([1, 2], (i) => i)]);
    assertClose(loss!.data, [400], 'loss');
  });

  it('refuses targets of other extents', async () => {
    await assert.rejects(ops.sigmoidCrossEntropyLoss([random([2, 3], 1), random([2], 1)]), {
      name: ShapeError.name,
      message: /same extents/,
    });
  });

  describeCaffe(ops.sigmoidCrossEntropyLoss, { sigmoid_ce: {} });
});

describe('hingeLoss', () => {
  const loops =
    (norm: 'l1' | 'l2'): Loops =>
    ([x, labels]) => {
      const [rows, classes] = x!.shape as [number, number];
      let sum = 0;
      x!.data.forEach((v, i) => {
        const sign = labels!.data[Math.floor(i / classes)] === i % classes ? -1 : 1;
        sum += Math.max(0, 1 + sign * v) ** (norm === 'l1' ? 1 : 2);
      });
      return [scalar(sum / rows)];
    };

  it('agrees with plain loops', () =>
    forAll(
      fc.tuple(shapes(2, 2), fc.constantFrom('l1' as const, 'l2' as const), fc.nat(1), seeds),
      async ([shape, norm, beyond, seed]) => {
        const x = random(shape, seed, { min: -2, max: 2, avoid: [-1, 1] });
        const labels = whole([shape[0]!], shape[1]! + beyond, seed + 1);
        await assertAgrees(ops.hingeLoss, [x, labels], { norm }, loops(norm), { wrt: [0] });
      },
    ));

  it('refuses options that make no sense', async () => {
    await assert.rejects(ops.hingeLoss([random([2, 3], 1), whole([2], 3, 1)], { norm: 'l3' as 'l1' }), {
      name: ShapeError.name,
      message: /norm to be l1 or l2, got l3/,
    });
  });

  describeCaffe(ops.hingeLoss, { hinge_l1: {}, hinge_l2: { norm: 'l2' } });
});

describe('contrastiveLoss', () => {
  const loops =
    (margin: number, legacy: boolean): Loops =>
    ([a, b, similar]) => {
      const [rows, width] = [a!.shape[0]!, a!.data.length / a!.shape[0]!];
      let sum = 0;
      for (let row = 0; row < rows; row++) {
        let squared = 0;
        for (let i = row * width; i < (row + 1) * width; i++) squared += (a!.data[i]! - b!.data[i]!) ** 2;
        if (similar!.data[row] !== 0) sum += squared;
        else if (legacy) sum += Math.max(0, margin - squared);
        else sum += Math.max(0, margin - Math.sqrt(squared)) ** 2;
      }
      return [scalar(sum / (2 * rows))];
    };

  it('agrees with plain loops, both ways', () =>
    forAll(
      fc.tuple(shapes(2, 3), fc.constantFrom(0.5, 1, 3), fc.boolean(), seeds),
      async ([shape, margin, legacy, seed]) => {
        const inputs = [random(shape, seed), random(shape, seed + 1), whole([shape[0]!], 2, seed + 2)];
        const options = { margin, legacy };
        // Caffe divides by d + 1e-4: for the distances here that is off by up to 1e-4 / 0.01.
        await assertAgrees(ops.contrastiveLoss, inputs, options, loops(margin, legacy), {
          wrt: [0, 1],
          gradientTolerance: 1e-2,
        });
      },
    ));

  it('agrees on long rows, alike and not', async () => {
    const inputs = [random([4, 900], 1), random([4, 900], 2), whole([4], 2, 3)];
    await assertAgrees(ops.contrastiveLoss, inputs, { margin: 40 }, loops(40, false), {
      wrt: [],
    });
    const [da, db] = await ops.contrastiveLoss.backward(inputs, [tensorOf([], () => 4)], { margin: 40 });
    const [a, b, similar] = inputs.map(doubles);
    const distance = (row: number): number => {
      let sum = 0;
      for (let i = row * 900; i < row * 900 + 900; i++) sum += (a!.data[i]! - b!.data[i]!) ** 2;
      return Math.sqrt(sum);
    };
    const slopes = [0, 1, 2, 3].map((row) => {
      const d = distance(row);
      return similar!.data[row] ? 1 : -(40 - d) / (d + 1e-4);
    });
    assert.ok(slopes.some((slope) => slope === 1) && slopes.some((slope) => slope < 0));
    const want = a!.data.map((v, i) => slopes[Math.floor(i / 900)]! * (v - b!.data[i]!));
    assertClose(da!.data, want, 'da');
    assertClose(
      db!.data,
      want.map((v) => -v),
      'db',
    );
  });

  it("divides by Caffe's distance", async () => {
    const inputs = [tensorOf([1, 1], () => 0.25), tensorOf([1, 1], () => 0), tensorOf([1], () => 0)];
    const [da] = await ops.contrastiveLoss.backward(inputs, [tensorOf([], () => 1)], { margin: 1 });
    assertClose(da!.data, [(-0.75 / 0.2501) * 0.25], 'da', 1e-6);
    const [exact] = [centralDifferences(loops(1, false), inputs.map(doubles), [tensorOf([], () => 1)], 0)];
    assertClose(da!.data, exact.data, 'da', 1e-3);
  });

  it('refuses inputs that do not fit', async () => {
    const [a, b] = [random([2, 3], 1), random([2, 3], 2)];
    await assert.rejects(ops.contrastiveLoss([a, b, whole([3], 2, 1)]), {
      name: ShapeError.name,
      message: /2 labels .* got \(3\)/,
    });
    await assert.rejects(ops.contrastiveLoss([a, b, whole([2], 2, 1)], { margin: Infinity }), {
      message: /a finite margin, got Infinity/,
    });
  });
});
