import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ShapeError, type Tensor } from '../../lib/index.js';
import { ops } from '../../lib/kernels.js';
import { simulated } from '../support/device.js';
import {
  assertAgrees,
  assertClose,
  describeCaffe,
  doubles,
  doublesOf,
  forAll,
  random,
  runOp,
  seeds,
  type Doubles,
} from '../support/ops.js';

interface Options {
  readonly axis: number;
  readonly transpose: boolean;
}

/** Calls `visit` with the flat positions of every product: of y, x and weight. */
function products(x: Doubles, weight: Doubles, o: Options, visit: (y: number, x: number, w: number) => void): number[] {
  const lead = x.shape.slice(0, o.axis);
  const rows = lead.reduce((a, b) => a * b, 1);
  const depth = x.data.length / rows;
  const units = o.transpose ? weight.shape[1]! : weight.shape[0]!;
  for (let i = 0; i < rows * units; i++) {
    const [row, unit] = [Math.floor(i / units), i % units];
    for (let k = 0; k < depth; k++) visit(i, row * depth + k, o.transpose ? k * units + unit : unit * depth + k);
  }
  return [...lead, units];
}

function multiply([x, weight, bias]: readonly Doubles[], o: Options): Doubles {
  const units = o.transpose ? weight!.shape[1]! : weight!.shape[0]!;
  const y = doublesOf([...x!.shape.slice(0, o.axis), units], (i) => bias?.data[i % units] ?? 0);
  products(x!, weight!, o, (i, j, f) => (y.data[i]! += x!.data[j]! * weight!.data[f]!));
  return y;
}

function cases(rows: number, depth: number, units: number) {
  return fc.record({
    lead: fc.array(fc.integer({ min: 1, max: rows }), { minLength: 1, maxLength: 2 }),
    rest: fc.array(fc.integer({ min: 1, max: depth }), { minLength: 1, maxLength: 2 }),
    units: fc.integer({ min: 1, max: units }),
    transpose: fc.boolean(),
    bias: fc.boolean(),
    seed: seeds,
  });
}

type Case = ReturnType<typeof cases> extends fc.Arbitrary<infer T> ? T : never;

function tensorsOf({ lead, rest, units, transpose, bias, seed }: Case): Tensor[] {
  const depth = rest.reduce((a, b) => a * b, 1);
  const tensors = [random([...lead, ...rest], seed), random(transpose ? [depth, units] : [units, depth], seed + 1)];
  return bias ? [...tensors, random([units], seed + 2)] : tensors;
}

describe('dense', () => {
  it('agrees with plain loops and their slopes', () =>
    forAll(cases(3, 4, 5), async (one) => {
      const options = { axis: one.lead.length, transpose: one.transpose };
      await assertAgrees(ops.dense, tensorsOf(one), { ...options, units: one.units }, (all) => [
        multiply(all, options),
      ]);
    }));

  // From one row to many: each count of rows has a way of its own.
  it('agrees with plain loops where rows, inputs and units are many', () =>
    forAll(cases(9, 40, 130), async (one) => {
      const options = { axis: one.lead.length, transpose: one.transpose };
      const tensors = tensorsOf(one);
      const [x, weight] = tensors.map(doubles);
      const want = multiply(tensors.map(doubles), options);
      const dy = random(want.shape, 77);
      const dx = doublesOf(x!.shape, () => 0);
      const dweight = doublesOf(weight!.shape, () => 0);
      products(x!, weight!, options, (i, j, f) => {
        dx.data[j]! += dy.data[i]! * weight!.data[f]!;
        dweight.data[f]! += dy.data[i]! * x!.data[j]!;
      });
      const { outputs, gradients } = await runOp(ops.dense, tensors, { ...options, units: one.units }, [dy]);
      assertClose(outputs[0]!.data, want.data, 'y');
      assertClose(gradients[0]!.data, dx.data, 'dx');
      assertClose(gradients[1]!.data, dweight.data, 'dweight');
    }));

  it('agrees with plain loops for a single row of whole vectors', () =>
    forAll(
      fc.record({ vectors: fc.integer({ min: 1, max: 40 }), units: fc.integer({ min: 1, max: 20 }), seed: seeds }),
      async (one) => {
        const tensors = [
          random([1, 8 * one.vectors], one.seed),
          random([one.units, 8 * one.vectors], 5),
          random([one.units], 6),
        ];
        const want = multiply(tensors.map(doubles), { axis: 1, transpose: false });
        const [y] = await ops.dense(tensors, { units: one.units });
        assertClose(y!.data, want.data, 'y');
      },
    ));

  // Weights of more than a million numbers: their gradient does not stay in the caches, and is written past them where
  // its rows are whole cache lines. Some of its numbers are checked, in the first and last row and column too.
  it('agrees with plain loops where the gradient of the weight is larger than the caches', async () => {
    const rows = 70;
    const shapes = [
      [1040, 1032],
      [1033, 1030],
    ] as const;
    // Those of a simulated GPU are for smaller numbers to leave.
    const smaller = [
      [136, 128],
      [129, 126],
    ] as const;
    for (const [inputs, units] of simulated ? smaller : shapes) {
      const [x, weight, dy] = [random([rows, inputs], 1), random([units, inputs], 2), random([rows, units], 3)];
      const { gradients } = await runOp(ops.dense, [x, weight], { units }, [dy]);
      const got: number[] = [];
      const want: number[] = [];
      for (const unit of [0, 7, units >> 1, units - 1]) {
        for (const i of [0, 47, 48, inputs >> 1, inputs - 1]) {
          got.push(gradients[1]!.data[unit * inputs + i]!);
          let sum = 0;
          for (let row = 0; row < rows; row++) sum += dy.data[row * units + unit]! * x.data[row * inputs + i]!;
          want.push(sum);
        }
      }
      assertClose(got, want, `dweight of ${units} x ${inputs}`);
    }
  });

  it('refuses what does not fit', async () => {
    const dense = (options: object, weight = [4, 6]) =>
      ops.dense([random([2, 3, 2], 1), random(weight, 2)], { units: 4, ...options });
    const rejects = (promise: Promise<unknown>, message: RegExp) =>
      assert.rejects(promise, { name: ShapeError.name, message });
    await rejects(dense({ axis: 3 }), /axis between -3 and 2 for 3 axes, got 3/);
    await rejects(dense({}, [4, 5]), /weight/);
    await rejects(dense({ units: 0 }), /units to be a whole number of at least 1, got 0/);
  });

  describeCaffe(ops.dense, {
    ip: {},
    ip_axis2: { axis: 2 },
    ip_transpose: { transpose: true, units: 4 },
    ip_nobias: {},
  });
});
