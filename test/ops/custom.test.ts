/** Ops from outside: composed of others, and in JavaScript between the kernels. */
import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import { defineOp, eager, layer } from '../../lib/custom.js';
import {
  compile,
  constant,
  conv2dOp,
  dense,
  eltwiseOp,
  graph,
  input,
  relu,
  sgd,
  sigmoidOp,
  softmaxLoss,
  type Model,
  type Value,
} from '../../lib/index.js';
import { assertAgrees, doublesOf, forAll, random, seeds, shapes } from '../support/ops.js';

const logistic = (v: number): number => 1 / (1 + Math.exp(-v));

/** x · logistic(x), composed of ops, its gradient too: dy · (s + y · (1 − s)) = dy · s + dy · y − dy · y · s. */
const siluOp = defineOp({
  name: 'silu',
  attributes: (_: object) => ({}),
  outputs: ([x]) => [{ shape: x! }],
  forward(e) {
    const [s] = e.apply(sigmoidOp, [e.inputs[0]!]);
    e.alias(0, e.apply(eltwiseOp, [e.inputs[0]!, s!], { operation: 'prod' })[0]!);
  },
  backward(e) {
    const product = (...factors: (typeof e.dy)[]): typeof e.dy =>
      e.apply(eltwiseOp, factors, { operation: 'prod' })[0]!;
    const [s] = e.apply(sigmoidOp, [e.inputs[0]!]);
    const y = e.outputs[0]!;
    const terms = [product(e.dy, s!), product(e.dy, y), product(e.dy, y, s!)];
    return e.apply(eltwiseOp, terms, { coefficients: [1, 1, -1] });
  },
});

/** The same in JavaScript, in its own time. */
const scriptedOp = defineOp({
  name: 'scripted_silu',
  attributes: (_: object) => ({}),
  outputs: ([x]) => [{ shape: x! }],
  forward: (e) =>
    e.compute(
      async ([x], [y]) => {
        await setTimeout(0);
        x!.forEach((v, i) => (y![i] = v * logistic(v)));
      },
      e.inputs,
      e.outputs,
    ),
  backward(e) {
    const dx = e.temp(e.inputs[0]!.shape);
    const slope = (v: number): number => logistic(v) * (1 + v * (1 - logistic(v)));
    e.compute(([x, dy], [out]) => x!.forEach((v, i) => (out![i] = dy![i]! * slope(v))), [e.inputs[0]!, e.dy], [dx]);
    return [dx];
  },
});

describe('an op from outside', () => {
  for (const [how, op] of Object.entries({ 'composed of others': siluOp, 'in JavaScript': scriptedOp })) {
    it(`${how} computes its formula and its slope`, () =>
      forAll(fc.tuple(shapes(0, 3), seeds), async ([shape, seed]) => {
        await assertAgrees(eager(op), [random(shape, seed)], {}, ([x]) => [
          doublesOf(shape, (i) => x!.data[i]! * logistic(x!.data[i]!)),
        ]);
      }));
  }

  it('applies ops with parameters', async () => {
    const edgesOp = defineOp({
      name: 'edges',
      attributes: (_: object) => ({}),
      outputs: ([x]) => [{ shape: [x![0]!, 1, x![2]! - 1, x![3]! - 1] }],
      parameters: () => [{ name: 'weight', shape: [1, 1, 2, 2], filler: constant(1) }],
      forward: (e) => e.alias(0, e.apply(conv2dOp, e.inputs, { filters: 1, kernel: 2, bias: false })[0]!),
    });
    const x = { data: Float32Array.from({ length: 9 }, (_, i) => i), shape: [1, 1, 3, 3] };
    const weight = { data: Float32Array.of(1, 0, 0, -1), shape: [1, 1, 2, 2] };
    const [y] = await eager(edgesOp)([x, weight]);
    assert.deepEqual(
      [Array.from(y!.data), y!.shape],
      [
        [-4, -4, -4, -4],
        [1, 1, 2, 2],
      ],
    );
  });

  /** A classifier with such a layer between two of Cortado's. */
  const classifier = (middle: (x: Value) => Value): Promise<Model<'x' | 'label', 'loss'>> => {
    const net = graph({ x: input([6]), label: input([]) }, ({ x, label }) => {
      const hidden = middle(relu(dense(x, { name: 'fc1', units: 5 })));
      return { loss: softmaxLoss(dense(hidden, { name: 'fc2', units: 3 }), label) };
    });
    return compile(net, { batch: 4, seed: 5, solver: sgd({ rate: 0.1 }) });
  };
  const batch = { x: random([4, 6], 3).data, label: [0, 1, 2, 1] };

  it('learns as part of a net, the same both ways, with every check and profile', async () => {
    using composed = await classifier((x) => layer(siluOp, [x], { name: 'silu' })[0]!);
    using scripted = await classifier((x) => layer(scriptedOp, [x], { name: 'silu' })[0]!);
    for (let i = 0; i < 5; i++) {
      const [a, b] = await Promise.all([composed.step(batch), scripted.step(batch, { checkFinite: i % 2 === 1 })]);
      assert.ok(Math.abs(a.loss - b.loss) < 1e-5, `step ${i}: ${a.loss} and ${b.loss}`);
    }
    const times = await scripted.profile(batch, { of: ['fc1.weight'] });
    const labels = times.map(({ label }) => label);
    for (const label of ['fc1', 'silu', 'silu.grad']) assert.ok(labels.includes(label), labels.join());
    assert.ok(times.every(({ milliseconds }) => milliseconds >= 0));
  });

  it('rejects the run that its function fails in, and no step has happened', async () => {
    let fails = true;
    const failingOp = defineOp({
      ...scriptedOp,
      forward: (e) =>
        e.compute(
          ([x], [y]) => {
            if (fails) throw new RangeError('not today');
            y!.set(x!);
          },
          e.inputs,
          e.outputs,
        ),
    });
    using model = await classifier((x) => layer(failingOp, [x], { name: 'mine' })[0]!);
    const before = await model.weights();
    await assert.rejects(model.step(batch), (error: Error) => {
      assert.equal(error.name, 'UsageError');
      assert.equal(error.message, 'mine: not today');
      assert.ok(error.cause instanceof RangeError);
      return true;
    });
    assert.deepEqual(await model.weights(), before);
    fails = false;
    await model.step(batch);
    assert.notDeepEqual(await model.weights(), before);
  });

  it('is cancelled with its run, and disposed with its model', async () => {
    const waitingOp = defineOp({
      ...scriptedOp,
      forward: (e) => e.compute(() => setTimeout(20), e.inputs, e.outputs),
    });
    const model = await classifier((x) => layer(waitingOp, [x], {})[0]!);
    const before = await model.weights();
    const controller = new AbortController();
    const step = model.step(batch, { signal: controller.signal });
    const ended = assert.rejects(step, /enough/);
    await setTimeout(10);
    controller.abort(new Error('enough'));
    await ended;
    assert.deepEqual(await model.weights(), before);
    const last = assert.rejects(model.step(batch), { code: 'DISPOSED' });
    await setTimeout(5);
    model.dispose();
    await last;
  });
});
