import assert from 'node:assert/strict';
import fc from 'fast-check';
import * as cortado from '../../lib/index.js';
import { compile, eltwise, fixedInput, graph, parameter, reductionOp, UsageError } from '../../lib/index.js';
import type { Graph, Solver } from '../../lib/index.js';
import { assertClose, forAll, fractions, random, seeds } from '../support/ops.js';
import { REFERENCES } from '../support/rules.js';

type Layers = Readonly<Record<string, { readonly length: number; readonly rate?: number; readonly decay?: number }>>;

/** A net whose loss is Σ w · x for each weight, so that the gradient of w is x: inputs `xw` for parameters `w`. */
function linear(layers: Layers): Graph {
  const names = Object.keys(layers);
  const inputs = Object.fromEntries(names.map((name) => [`x${name}`, fixedInput([layers[name]!.length])]));
  return graph(inputs, (values, builder) => {
    const losses = names.map((name) => {
      const { length, ...weight } = layers[name]!;
      const filler = { type: 'uniform', min: -1, max: 1 } as const;
      const w = parameter(builder, { name, shape: [length], filler, params: { weight } });
      const product = eltwise([w, values[`x${name}`]!], { operation: 'prod' });
      return [`loss${name}`, builder.add(reductionOp, [product], { name: `loss${name}`, lossWeight: 1 })[0]!] as const;
    });
    return Object.fromEntries(losses);
  });
}

const makers: Readonly<Record<string, (options: cortado.SgdOptions) => Solver>> = cortado as never;

const settings = fc.record({
  rate: fractions(0, 0.2),
  momentum: fractions(0, 0.99),
  smoothing: fractions(0.125, 0.99),
  beta1: fractions(0, 0.95),
  beta2: fractions(0, 0.999),
  epsilon: fractions(0.001, 0.1),
  weightDecay: fractions(0, 0.5),
  regularization: fc.constantFrom('L1' as const, 'L2' as const),
  clip: fc.option(fractions(0.1, 10), { nil: undefined }),
  iterSize: fc.integer({ min: 1, max: 3 }),
  own: fractions(0.1, 2),
  decay: fractions(0, 2),
  length: fc.integer({ min: 1, max: 70 }),
  seed: seeds,
});

describe('solvers', () => {
  for (const [name, update] of Object.entries(REFERENCES)) {
    it(`${name} follows its rule step by step`, () =>
      forAll(settings, async ({ own, decay, length, seed, clip, ...options }) => {
        const { rate, iterSize, weightDecay } = options;
        const layers = { a: { length, rate: own, decay }, b: { length: 3 } };
        const solver = makers[name]!({ ...options, ...(clip !== undefined && { clip }) });
        using model = await compile(linear(layers), { solver, seed });
        const start = await model.weights();
        const weights = { a: [...start['a.weight']!.data], b: [...start['b.weight']!.data] };
        const history = { a: weights.a.map(() => [0, 0]), b: weights.b.map(() => [0, 0]) };
        for (let t = 1; t <= 3; t++) {
          const sums = { a: weights.a.map(() => 0), b: weights.b.map(() => 0) };
          for (let run = 0; run < iterSize; run++) {
            const inputs = { xa: random([length], seed + 10 * t + run), xb: random([3], seed + 100 * t + run) };
            await model.step(inputs);
            sums.a = sums.a.map((sum, i) => sum + inputs.xa.data[i]!);
            sums.b = sums.b.map((sum, i) => sum + inputs.xb.data[i]!);
          }
          const norm = Math.hypot(...sums.a, ...sums.b);
          const scale = (clip !== undefined && norm > clip ? clip / norm : 1) / iterSize;
          for (const [key, rateOf, decayOf] of [
            ['a', own, decay],
            ['b', 1, 1],
          ] as const) {
            weights[key] = weights[key].map((w, i) => {
              const slope =
                weightDecay * decayOf * (options.regularization === 'L1' && name !== 'adamW' ? Math.sign(w) : w);
              const beside = name === 'adamW' ? rate * rateOf * slope : 0;
              const g = sums[key][i]! * scale + (name === 'adamW' ? 0 : slope);
              return w - update(options, rate * rateOf, g, history[key][i]!, t) - beside;
            });
          }
        }
        assert.equal(model.iteration, 3);
        const after = await model.weights();
        assertClose(after['a.weight']!.data, weights.a, 'a');
        assertClose(after['b.weight']!.data, weights.b, 'b');
      }));

    it(`${name} gives the same bits with one and two threads`, async () => {
      const length = 100_003;
      const after = async (threads: number): Promise<Float32Array> => {
        const solver = makers[name]!({ rate: 0.1, clip: 1, ...(name !== 'adamW' && { weightDecay: 0.01 }) });
        using model = await compile(linear({ w: { length } }), { solver, threads });
        for (let step = 0; step < 3; step++) await model.step({ xw: random([length], step) });
        return (await model.weights())['w.weight']!.data;
      };
      assert.deepEqual(await after(1), await after(2));
    });
  }

  it('change every one of many parameters, of any sizes', async () => {
    // Some are of more than one block of a GPU.
    const lengths = Array.from({ length: 70 }, (_, i) => (i % 23 === 5 ? 8190 + i : 1 + ((i * 37) % 61)));
    const net = linear(Object.fromEntries(lengths.map((length, i) => [`w${i}`, { length, rate: 1 + (i % 3) }])));
    using model = await compile(net, { solver: cortado.sgd({ rate: 0.5 }) });
    const before = await model.weights();
    const inputs = lengths.map((length, i) => random([length], i));
    await model.step(Object.fromEntries(inputs.map((x, i) => [`xw${i}`, x])));
    const after = await model.weights();
    for (const [i, { data }] of inputs.entries()) {
      const [old, now] = [before, after].map((weights) => weights[`w${i}.weight`]!.data);
      assertClose(
        now!,
        Array.from(old!, (w, k) => w - 0.5 * (1 + (i % 3)) * data[k]!),
        `w${i}`,
        1e-6,
        1,
      );
    }
  });

  it('leave frozen parameters alone, and keep no history of them', async () => {
    const net = linear({ w: { length: 5, rate: 0 }, v: { length: 5 } });
    using model = await compile(net, { solver: cortado.adam({ rate: 0.1, weightDecay: 0.1 }) });
    const before = await model.weights();
    await model.step({ xw: random([5], 1), xv: random([5], 1) });
    const after = await model.weights();
    assert.deepEqual(after['w.weight'], before['w.weight']);
    assert.notDeepEqual(after['v.weight'], before['v.weight']);
    assert.deepEqual(Object.keys((await model.solverState()).history), ['v.weight']);
  });

  it('refuse numbers that make no sense', () => {
    const wrong: [() => Solver, RegExp][] = [
      [() => cortado.sgd({ rate: -1 }), /sgd: expected rate to be a finite number of at least 0, got -1/],
      [() => cortado.sgd({ rate: 1, momentum: NaN }), /momentum/],
      [() => cortado.nesterov({ rate: 1, weightDecay: -1 }), /nesterov: expected weightDecay/],
      [() => cortado.sgd({ rate: 1, iterSize: 0.5 }), /iterSize to be a whole number of at least 1, got 0.5/],
      [() => cortado.sgd({ rate: 1, clip: 0 }), /clip to be a finite number above 0, got 0/],
      [() => cortado.sgd({ rate: 1, regularization: 'L3' as 'L1' }), /L1 or L2, got L3/],
      [() => cortado.adam({ rate: 1, beta2: 1 }), /beta2 to be at least 0 and less than 1, got 1/],
      [() => cortado.adamW({ rate: 1, weightDecay: NaN }), /adamW: expected weightDecay/],
      [() => cortado.rmsprop({ rate: 1, smoothing: 2 }), /smoothing/],
      [() => cortado.adagrad({ rate: 1, epsilon: -1 }), /epsilon/],
      [() => cortado.adadelta({ smoothing: -1 }), /smoothing/],
    ];
    for (const [make, message] of wrong) assert.throws(make, { name: UsageError.name, message });
  });
});
