import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ShapeError, type Tensor } from '../../lib/index.js';
import { ops } from '../../lib/kernels.js';
import { divisor, rowsOf, softmaxOf, type Normalization } from '../support/classes.js';
import {
  assertAgrees,
  assertClose,
  describeCaffe,
  forAll,
  random,
  seeds,
  shapes,
  tensorOf,
  whole,
  type Loops,
} from '../support/ops.js';

const FLT_MIN = 1.1754943508222875e-38;
const scalar = (value: number) => ({ data: Float64Array.of(value), shape: [] });
const normalizations = fc.constantFrom<Normalization>('valid', 'batchSize', 'full', 'none');

interface Options {
  readonly axis: number;
  readonly normalization: Normalization;
  readonly ignoreLabel: number;
}

/** Mean of cost(row, label) over the labels that count. */
function mean(
  x: Tensor<Float64Array>,
  labels: Tensor<Float64Array>,
  o: Options,
  cost: (row: number, label: number) => number,
): number {
  const rows = rowsOf(x.shape, o.axis);
  let [sum, valid] = [0, 0];
  labels.data.forEach((label, row) => {
    if (label === o.ignoreLabel) return;
    valid++;
    sum += cost(row, label);
  });
  return sum / divisor(o.normalization, valid, rows.outer, rows.count);
}

const softmaxLoops =
  (o: Options): Loops =>
  ([x, labels]) => {
    const prob = softmaxOf(x!, o.axis);
    const rows = rowsOf(x!.shape, o.axis);
    const loss = mean(
      x!,
      labels!,
      o,
      (row, k) => -Math.log(Math.max(k < rows.classes ? prob.data[rows.at(row, k)]! : 0, FLT_MIN)),
    );
    return [scalar(loss), prob];
  };

const infogainLoops =
  (o: Options): Loops =>
  ([x, labels, matrix]) => {
    const prob = softmaxOf(x!, o.axis);
    const { classes, at } = rowsOf(x!.shape, o.axis);
    const cost = (row: number, k: number): number => {
      let total = 0;
      for (let l = 0; l < classes; l++) total -= matrix!.data[k * classes + l]! * Math.log(prob.data[at(row, l)]!);
      return total;
    };
    return [scalar(mean(x!, labels!, o, cost))];
  };

/** Scores of some shape, with labels of which some are one past the last class: the ones that may be ignored. */
const cases = (beyond: number) =>
  shapes(2, 4).chain((shape) =>
    fc
      .record({ axis: fc.nat(shape.length - 1), normalization: normalizations, seed: seeds, ignore: fc.boolean() })
      .map((c) => {
        const classes = shape[c.axis]!;
        const labelShape = shape.filter((_, i) => i !== c.axis);
        return {
          x: random(shape, c.seed, { min: -2, max: 2 }),
          labels: whole(labelShape, classes + (c.ignore ? beyond : 0), c.seed + 1),
          options: { axis: c.axis, normalization: c.normalization, ignoreLabel: classes },
        };
      }),
  );

describe('softmaxLoss', () => {
  it('agrees with plain loops, probabilities and their gradient included', () =>
    forAll(cases(1), async ({ x, labels, options }) => {
      await assertAgrees(ops.softmaxLoss, [x, labels], { ...options, prob: true }, softmaxLoops(options), { wrt: [0] });
      await assertAgrees(ops.softmaxLoss, [x, labels], options, (inputs) => softmaxLoops(options)(inputs).slice(0, 1), {
        wrt: [0],
      });
    }));

  it('reads nothing outside for labels that name no class', async () => {
    const labels = { data: Float32Array.of(-1, 5, 1e30, NaN, -Infinity, 2), shape: [6] };
    const x = random([6, 3], 4);
    const [loss] = await ops.softmaxLoss([x, labels], { normalization: 'none' });
    const { data } = softmaxOf({ data: Float64Array.from(x.data), shape: x.shape }, 1);
    assertClose(loss!.data, [-5 * Math.log(FLT_MIN) - Math.log(data[17]!)], 'loss');
    const [dx] = await ops.softmaxLoss.backward([x, labels], [tensorOf([], () => 1)]);
    assert.ok(dx!.data.subarray(0, 15).every((v) => v === 0));
    assert.ok(dx!.data[17]! < 0);
  });

  it('keeps the gradient of a near-certain class', async () => {
    const x = { data: Float32Array.of(12, 0), shape: [1, 2] };
    const [dx] = await ops.softmaxLoss.backward([x, tensorOf([1], () => 0)], [tensorOf([], () => 3)]);
    const p = Math.exp(-12) / (1 + Math.exp(-12));
    assertClose(dx!.data, [-3 * p, 3 * p], 'dx', 2e-2); // 1 - p is off by half a unit in the last place of 1
  });

  it('gives the same bits on any number of threads', async () => {
    const x = random([130, 70], 5);
    const labels = whole([130], 70, 6);
    const [one] = await ops.softmaxLoss([x, labels], { threads: 1 });
    const [three] = await ops.softmaxLoss([x, labels], { threads: 3 });
    assert.equal(one!.data[0], three!.data[0]);
  });

  it('refuses labels that do not fit', async () => {
    await assert.rejects(ops.softmaxLoss([random([4, 3, 2], 1), whole([4], 3, 1)]), {
      name: ShapeError.name,
      message: /softmaxLoss: expected 8 labels, one for each place of scores \(4, 3, 2\) .* got \(4\)/,
    });
    await assert.rejects(ops.softmaxLoss([random([4, 3], 1), whole([4], 3, 1)], { normalization: 'mean' as 'full' }), {
      message: /normalization to be one of valid, batchSize, full, none, got mean/,
    });
    await assert.rejects(ops.softmaxLoss([random([4, 3], 1), whole([4], 3, 1)], { ignoreLabel: 0.5 }), {
      message: /ignoreLabel to be a whole number, got 0.5/,
    });
  });

  describeCaffe(ops.softmaxLoss, {
    sml_basic: {},
    sml_weight: {},
    sml_ignore_valid: { ignoreLabel: 255 },
    sml_ignore_full: { ignoreLabel: 255, normalization: 'full' },
    sml_ignore_batch: { ignoreLabel: 255, normalization: 'batchSize' },
    sml_ignore_none: { ignoreLabel: -1, normalization: 'none' },
    sml_normalize_false: { normalization: 'batchSize' },
    sml_all_ignored: { ignoreLabel: 9 },
    sml_underflow: {},
  });
});

describe('infogainLoss', () => {
  it('agrees with plain loops', () =>
    forAll(cases(1), async ({ x, labels, options }) => {
      const classes = x.shape[options.axis]!;
      const matrix = random([classes, classes], 77, { min: 0, max: 1 });
      await assertAgrees(ops.infogainLoss, [x, labels, matrix], options, infogainLoops(options), { wrt: [0] });
    }));

  it('charges 46 for labels that name no class', async () => {
    const inputs = [random([2, 3], 1), { data: Float32Array.of(3, -1), shape: [2] }, random([3, 3], 2)];
    const [loss] = await ops.infogainLoss(inputs);
    assertClose(loss!.data, [-Math.log(1e-20)], 'loss');
    const [dx] = await ops.infogainLoss.backward(inputs, [tensorOf([], () => 1)]);
    assert.ok(dx!.data.every((v) => v === 0));
  });

  it('refuses a matrix that is not classes x classes', async () => {
    await assert.rejects(ops.infogainLoss([random([2, 3], 1), whole([2], 3, 1), random([3, 2], 1)]), {
      name: ShapeError.name,
      message: /a matrix \(3, 3\), got \(3, 2\)/,
    });
  });
});

const multinomialLoops: Loops = ([p, labels]) => {
  const { classes, count } = rowsOf(p!.shape, 1);
  let sum = 0;
  labels!.data.forEach(
    (k, row) => (sum -= Math.log(k < classes ? Math.max(p!.data[row * classes + k]!, 1e-20) : 1e-20)),
  );
  return [scalar(sum / count)];
};

describe('multinomialLoss', () => {
  it('agrees with plain loops', () =>
    forAll(fc.tuple(shapes(2, 2), seeds, fc.nat(1)), async ([shape, seed, beyond]) => {
      const p = random(shape, seed, { min: 0.1, max: 1 });
      const labels = whole([shape[0]!], shape[1]! + beyond, seed + 1);
      await assertAgrees(ops.multinomialLoss, [p, labels], {}, multinomialLoops, { wrt: [0] });
    }));

  it('refuses labels that do not fit', async () => {
    await assert.rejects(ops.multinomialLoss([random([2, 3], 1), whole([3], 2, 1)]), {
      name: ShapeError.name,
      message: /2 labels for scores \(2, 3\), got \(3\)/,
    });
  });

  describeCaffe(ops.multinomialLoss, { multinomial: {} });
});
