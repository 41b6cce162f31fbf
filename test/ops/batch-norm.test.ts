import assert from 'node:assert/strict';
import fc from 'fast-check';
import { batchNorm, compile, graph, input, ShapeError, type Tensor } from '../../lib/index.js';
import { ops } from '../../lib/kernels.js';
import { fixtures } from '../support/fixtures.js';
import { readArray } from '../support/arrays.js';
import {
  assertAgrees,
  assertClose,
  describeCaffe,
  doubles,
  doublesOf,
  forAll,
  random,
  seeds,
  shapes,
  tensorOf,
  type Doubles,
  type Loops,
} from '../support/ops.js';

interface Moments {
  readonly mean: number;
  readonly variance: number;
}

/** Mean and variance of each of the groups that group(i) puts the elements in. */
function moments(x: Doubles, groups: number, group: (i: number) => number): readonly Moments[] {
  return Array.from({ length: groups }, (_, g) => {
    const own = Array.from(x.data).filter((_, i) => group(i) === g);
    const mean = own.reduce((a, b) => a + b, 0) / own.length;
    return { mean, variance: own.reduce((sum, v) => sum + (v - mean) ** 2, 0) / own.length };
  });
}

const channelsOf = ({ shape }: Doubles): number => (shape.length === 1 ? 1 : shape[1]!);

const channelOf = (x: Doubles): ((i: number) => number) => {
  const inner = x.shape.slice(2).reduce((a, b) => a * b, 1);
  return (i) => (x.shape.length === 1 ? 0 : Math.floor(i / inner) % x.shape[1]!);
};

const batchLoops =
  (eps: number): Loops =>
  ([x]) => {
    const channel = channelOf(x!);
    const m = moments(x!, channelsOf(x!), channel);
    return [
      doublesOf(x!.shape, (i) => {
        const { mean, variance } = m[channel(i)]!;
        return (x!.data[i]! - mean) / Math.sqrt(variance + eps);
      }),
    ];
  };

const globalLoops =
  (eps: number): Loops =>
  ([x, mean, variance, factor]) => {
    const share = factor!.data[0] === 0 ? 0 : 1 / factor!.data[0]!;
    const channel = channelOf(x!);
    return [
      doublesOf(x!.shape, (i) => {
        const c = channel(i);
        return (x!.data[i]! - share * mean!.data[c]!) / Math.sqrt(share * variance!.data[c]! + eps);
      }),
    ];
  };

/** An input and running sums for it. */
function inputsFor(shape: readonly number[], seed: number, factor: number): Tensor[] {
  const channels = [shape.length === 1 ? 1 : shape[1]!];
  const x = random(shape, seed, { min: -2, max: 3 });
  return [x, random(channels, seed + 1), random(channels, seed + 2, { min: 0.5, max: 2 }), tensorOf([1], () => factor)];
}

describe('batchNorm', () => {
  it("agrees with plain loops on the batch's own statistics", () =>
    forAll(fc.tuple(shapes(1, 3, 4), fc.constantFrom(1e-5, 0.1), seeds), async ([shape, eps, seed]) => {
      // A channel of one or two elements has a slope of nearly zero: the rounding of its terms is judged by their size.
      const loops = batchLoops(eps);
      const inputs = inputsFor([...shape, 3], seed, 2);
      await assertAgrees(ops.batchNorm, inputs, { eps, phase: 'train' }, loops, {
        wrt: [0],
        tolerance: 2e-5,
        gradientTolerance: 1e-3,
      });
    }));

  it('agrees with plain loops on running statistics', () =>
    forAll(fc.tuple(shapes(1, 4), fc.constantFrom(0, 1, 3.5), seeds), async ([shape, factor, seed]) => {
      const inputs = inputsFor(shape, seed, factor);
      const eps = 0.01;
      await assertAgrees(ops.batchNorm, inputs, { eps, useGlobalStats: true }, globalLoops(eps), { wrt: [0] });
      const [test] = await ops.batchNorm(inputs, { eps, phase: 'test' });
      assertClose(test!.data, globalLoops(eps)(inputs.map(doubles))[0]!.data, 'in phase test');
    }));

  it('agrees over long channels, on any number of threads', async () => {
    for (const shape of [
      [3, 2, 2000],
      [700, 40],
    ]) {
      const inputs = inputsFor(shape, 11, 1);
      for (const threads of [1, 3]) {
        await assertAgrees(ops.batchNorm, inputs, { threads }, batchLoops(1e-5), { wrt: [] });
      }
    }
  });

  it('keeps running sums in training, and only there', async () => {
    const net = graph({ data: input([2, 3]) }, ({ data }) => ({
      y: batchNorm(data, { name: 'norm', movingAverageFraction: 0.75 }),
    }));
    await using model = await compile(net, { batch: 4 });
    const want = { mean: [0, 0], variance: [0, 0], factor: [0] };
    for (let step = 0; step < 3; step++) {
      const data = random([4, 2, 3], step, { min: -1, max: 2 });
      await model.forward({ data }, { phase: 'train' });
      const exact = moments(doubles(data), 2, (i) => Math.floor(i / 3) % 2);
      exact.forEach(({ mean, variance }, c) => {
        want.mean[c] = 0.75 * want.mean[c]! + mean;
        want.variance[c] = 0.75 * want.variance[c]! + (variance * 12) / 11;
      });
      want.factor[0] = 0.75 * want.factor[0]! + 1;
    }
    const data = random([4, 2, 3], 9);
    const { y } = await model.forward({ data });
    const weights = await model.weights();
    for (const name of ['mean', 'variance', 'factor'] as const)
      assertClose(weights[`norm.${name}`]!.data, want[name], name);
    const running = ['mean', 'variance', 'factor'].map((name) => doubles(weights[`norm.${name}`]!));
    assertClose(y.data, globalLoops(1e-5)([doubles(data), ...running])[0]!.data, 'in phase test');
  });

  it('refuses options that make no sense', async () => {
    const inputs = inputsFor([2, 3, 4], 1, 1);
    await assert.rejects(ops.batchNorm(inputs, { eps: -1 }), {
      name: ShapeError.name,
      message: /eps to be a finite number .* got -1/,
    });
    await assert.rejects(ops.batchNorm(inputs, { movingAverageFraction: 2 }), {
      message: /movingAverageFraction between 0 and 1, got 2/,
    });
    await assert.rejects(ops.batchNorm([inputs[0]!, random([4], 1), inputs[2]!, inputs[3]!]), {
      name: ShapeError.name,
      message: /norm.*mean.*\(3\).*\(4\)/i,
    });
  });

  describeCaffe(ops.batchNorm, {
    batchnorm_test: {},
    batchnorm_train: {},
    batchnorm_global_train: { useGlobalStats: true },
  });

  it("leaves the statistics that Caffe's batchnorm_train leaves", async function () {
    const folder = fixtures('layers/batchnorm_train');
    if (!folder) return this.skip();
    const read = (file: string): Promise<Tensor> => readArray(folder, file);
    const data = await read('bottom0.npy');
    const net = graph({ data: input(data.shape.slice(1)) }, ({ data }) => ({ y: batchNorm(data, { name: 'L' }) }));
    await using model = await compile(net, { batch: data.shape[0]! });
    const names = ['L.mean', 'L.variance', 'L.factor'];
    const before = await Promise.all(
      names.map((name, i) => read(`param${i}.npy`).then((value) => [name, value] as const)),
    );
    await model.load(Object.fromEntries(before));
    await model.forward({ data }, { phase: 'train' });
    const weights = await model.weights();
    for (const [i, name] of names.entries())
      assertClose(weights[name]!.data, (await read(`param${i}_after.npy`)).data, name);
  });
});

describe('mvn', () => {
  interface Options {
    readonly acrossChannels: boolean;
    readonly normalizeVariance: boolean;
    readonly eps: number;
  }

  const loops =
    ({ acrossChannels, normalizeVariance, eps }: Options): Loops =>
    ([x]) => {
      const groups = x!.shape.slice(0, acrossChannels ? 1 : 2).reduce((a, b) => a * b, 1);
      const group = (i: number): number => Math.floor((i * groups) / x!.data.length);
      const m = moments(x!, groups, group);
      return [
        doublesOf(x!.shape, (i) => {
          const { mean, variance } = m[group(i)]!;
          return (x!.data[i]! - mean) / (normalizeVariance ? Math.sqrt(variance) + eps : 1);
        }),
      ];
    };

  it('agrees with plain loops', () =>
    forAll(
      fc.tuple(shapes(1, 3, 3), fc.boolean(), fc.boolean(), seeds),
      async ([shape, acrossChannels, normalizeVariance, seed]) => {
        const options = { acrossChannels, normalizeVariance, eps: 1e-9 };
        const x = random([...shape, 3, 2], seed, { min: -2, max: 3 });
        await assertAgrees(ops.mvn, [x], options, loops(options), { gradientTolerance: 1e-3 });
      },
    ));

  it('adds eps to the deviation', async () => {
    const options = { acrossChannels: false, normalizeVariance: true, eps: 0.5 };
    await assertAgrees(ops.mvn, [random([2, 3, 7], 4)], options, loops(options), { wrt: [] });
  });

  it('refuses options that make no sense', async () => {
    await assert.rejects(ops.mvn([random([2, 3], 1)], { eps: NaN }), {
      name: ShapeError.name,
      message: /eps to be a finite number .* got NaN/,
    });
  });

  describeCaffe(ops.mvn, { mvn: {} });
});
