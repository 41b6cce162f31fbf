import assert from 'node:assert/strict';
import fc from 'fast-check';
import { UsageError, type Tensor } from '../../lib/index.js';
import { ops, type Eager } from '../../lib/kernels.js';
import {
  assertAgrees,
  describeCaffe,
  forAll,
  fractions,
  random,
  seeds,
  shapes,
  tensorOf,
  type Agreement,
  type Loops,
  type Range,
} from '../support/ops.js';

const map =
  (f: (x: number) => number): Loops =>
  ([x]) => [{ data: x!.data.map(f), shape: x!.shape }];

interface Case<O extends object, T> {
  readonly options: fc.Arbitrary<T & Partial<O>>;
  readonly f: (x: number, options: T) => number;
  readonly range?: (options: T) => Range;
  readonly agreement?: Agreement;
}

/** Checks one op against its scalar function over random shapes and options. */
function scalar<O extends object, T>(name: string, op: Eager<O>, { options, f, range, agreement }: Case<O, T>): void {
  it(`${name} agrees with its function and slope`, () =>
    forAll(fc.tuple(shapes(0, 4), seeds, options), async ([shape, seed, o]) => {
      const x = random(shape, seed, { min: -4, max: 4, ...range?.(o) });
      await assertAgrees(
        op,
        [x],
        o,
        map((v) => f(v, o)),
        agreement,
      );
    }));
}

const none = fc.constant({});

describe('activations', () => {
  scalar('relu', ops.relu, {
    options: fc.record({ slope: fc.constantFrom(0, 0.1, -0.5) }),
    f: (x, { slope }) => (x > 0 ? x : slope * x),
    range: () => ({ avoid: [0] }),
  });
  scalar('sigmoid', ops.sigmoid, { options: none, f: (x) => 1 / (1 + Math.exp(-x)) });
  scalar('tanh', ops.tanh, { options: none, f: Math.tanh });
  scalar('elu', ops.elu, {
    options: fc.record({ alpha: fractions(-1, 2) }),
    f: (x, { alpha }) => (x > 0 ? x : alpha * (Math.exp(x) - 1)),
    range: () => ({ avoid: [0] }),
  });
  scalar('abs', ops.abs, { options: none, f: Math.abs, range: () => ({ avoid: [0] }) });
  scalar('power', ops.power, {
    options: fc.record({
      power: fc.constantFrom(0, 1, 2, 3, -1, 0.5, 1.7, -0.3),
      scale: fractions(0.1, 0.5),
      shift: fractions(2.5, 3),
    }),
    f: (x, { power, scale, shift }) => (scale * x + shift) ** power,
  });
  scalar('exp', ops.exp, {
    options: fc.record({ base: fc.constantFrom(-1, 2, 0.5, 10), scale: fractions(-1, 1), shift: fractions(-1, 1) }),
    f: (x, { base, scale, shift }) => (base === -1 ? Math.E : base) ** (scale * x + shift),
  });
  scalar('log', ops.log, {
    options: fc.record({ base: fc.constantFrom(-1, 2, 0.5, 10), scale: fractions(0.1, 0.5), shift: fractions(2.5, 3) }),
    f: (x, { base, scale, shift }) => Math.log(scale * x + shift) / Math.log(base === -1 ? Math.E : base),
  });
  scalar('bnll', ops.bnll, { options: none, f: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))) });
  scalar('clip', ops.clip, {
    options: fc.record({ min: fractions(-3, 0), max: fractions(0, 3) }),
    f: (x, { min, max }) => Math.min(Math.max(x, min), max),
    range: ({ min, max }) => ({ avoid: [min, max] }),
  });
  scalar('threshold', ops.threshold, {
    options: fc.record({ threshold: fractions(-2, 2) }),
    f: (x, { threshold }) => (x > threshold ? 1 : 0),
    range: ({ threshold }) => ({ avoid: [threshold] }),
    agreement: { wrt: [] },
  });

  it('keep small numbers accurate', async () => {
    const x = tensorOf([64], (i) => (i % 2 ? -1 : 1) * 10 ** (-i / 8));
    await assertAgrees(ops.tanh, [x], {}, map(Math.tanh), { tolerance: 3e-7, wrt: [] });
    for (const v of x.data) {
      const one = tensorOf([1], () => v);
      await assertAgrees(ops.tanh, [one], {}, map(Math.tanh), { tolerance: 3e-7, wrt: [] });
      const negative = tensorOf([1], () => -20 * Math.abs(v));
      await assertAgrees(
        ops.bnll,
        [negative],
        {},
        map((u) => Math.log1p(Math.exp(u))),
        { tolerance: 1e-6, wrt: [] },
      );
      await assertAgrees(
        ops.sigmoid,
        [negative],
        {},
        map((u) => 1 / (1 + Math.exp(-u))),
        { tolerance: 1e-6, wrt: [] },
      );
    }
  });

  it('answer infinities and NaN as mathematics does', async () => {
    const x = tensorOf([5], (i) => [-Infinity, -200, 200, Infinity, NaN][i]!);
    const values = async (op: Eager<object>): Promise<number[]> => Array.from((await op([x]))[0]!.data);
    assert.deepEqual(await values(ops.sigmoid), [0, 0, 1, 1, NaN]);
    assert.deepEqual(await values(ops.tanh), [-1, -1, 1, 1, NaN]);
    assert.deepEqual(await values(ops.exp), [0, 0, Infinity, Infinity, NaN]);
    assert.deepEqual(await values(ops.bnll), [0, 0, 200, Infinity, NaN]);
    assert.deepEqual(await values(ops.relu), [0, 0, 200, Infinity, NaN]);
    assert.deepEqual(await values(ops.log), [NaN, NaN, Math.fround(Math.log(200)), Infinity, NaN]);
    const [y] = await ops.log([tensorOf([3], (i) => [0, 1, 1e-41][i]!)]);
    assert.deepEqual([y!.data[0], y!.data[1]], [-Infinity, 0]);
    assert.ok(Math.abs(y!.data[2]! - Math.log(Math.fround(1e-41))) < 1e-4);
  });

  it('give the slope at 0 that Caffe gives', async () => {
    const zero = tensorOf([1], () => 0);
    const dy = tensorOf([1], () => 2);
    assert.equal((await ops.relu.backward([zero], [dy], { slope: 0.25 }))[0]!.data[0], 0.5);
    assert.equal((await ops.abs.backward([zero], [dy]))[0]!.data[0], 0);
  });

  it('compute the same with one and two threads on long tensors', async () => {
    const x = random([3, 40001], 5);
    const [one] = await ops.sigmoid([x], { threads: 1 });
    const [two] = await ops.sigmoid([x], { threads: 2 });
    assert.deepEqual(one!.data, two!.data);
  });

  it('compute every element of what is larger than the caches', async () => {
    const sawtooth = (i: number): number => (i % 1001) - 500;
    const n = (1 << 23) + 13;
    const x = { data: new Float32Array(n).map((_, i) => sawtooth(i)), shape: [n] };
    const check = (got: Tensor, f: (i: number) => number): void => {
      const wrong = got.data.findIndex((v, i) => v !== f(i));
      assert.equal(wrong, -1, `element ${wrong} of ${n} is ${got.data[wrong]}`);
    };
    check((await ops.relu([x]))[0]!, (i) => Math.max(sawtooth(i), 0));
    check((await ops.abs.backward([x], [x]))[0]!, (i) => Math.abs(sawtooth(i)));
  });

  it('refuse options that make no sense', async () => {
    const x = tensorOf([1], () => 1);
    await assert.rejects(ops.clip([x], { min: 1, max: 0 }), {
      name: UsageError.name,
      message: /min <= max, got 1 and 0/,
    });
    await assert.rejects(ops.log([x], { base: 1 }), { name: UsageError.name, message: /base not to be 1/ });
    await assert.rejects(ops.exp([x], { base: -2 }), {
      name: UsageError.name,
      message: /base to be above 0 \(or -1 for e\), got -2/,
    });
    await assert.rejects(ops.elu([x], { alpha: NaN }), {
      name: UsageError.name,
      message: /alpha to be a finite number, got NaN/,
    });
    await assert.rejects(ops.power([x], { power: Infinity }), {
      name: UsageError.name,
      message: /power to be a finite number/,
    });
    await assert.rejects(ops.threshold([x], { threshold: NaN }), {
      name: UsageError.name,
      message: /threshold to be a finite/,
    });
  });

  describeCaffe(ops.relu, { relu: {}, relu_slope: { slope: 0.1 }, relu_inplace: {} });
  describeCaffe(ops.sigmoid, { sigmoid: {} });
  describeCaffe(ops.tanh, { tanh: {} });
  describeCaffe(ops.power, { power: { power: 1.7, scale: 0.5, shift: 1.2 } });
  describeCaffe(ops.abs, { absval: {} });
  describeCaffe(ops.elu, { elu: { alpha: 0.7 } });
  describeCaffe(ops.exp, { exp: { base: 2, scale: 0.5, shift: 0.1 } });
  describeCaffe(ops.log, { log: {} });
  describeCaffe(ops.bnll, { bnll: {} });
});
