/** What a model promises about its runs: order, cancelling, batches, plans, seeds, and that nothing else is computed. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  compile,
  conv2d,
  dense,
  dropout,
  graph,
  input,
  maxPool,
  relu,
  sgd,
  softmaxLoss,
  stopGradient,
  UsageError,
  type Model,
  type Tensor,
} from '../../lib/index.js';
import { simulated } from '../support/device.js';
import { assertClose } from '../support/compare.js';
import { labels, noise, slow, SLOW_IMAGE, tiny } from '../support/nets.js';

const rows = (tensor: Tensor, from: number, to: number): Tensor => {
  const size = tensor.data.length / tensor.shape[0]!;
  return { data: tensor.data.slice(from * size, to * size), shape: [to - from, ...tensor.shape.slice(1)] };
};

describe('runs', () => {
  const data = noise([6, 3, 8, 8], 4);
  const label = labels(6, 5);

  it('are taken in the order of the calls', async () => {
    await using model = await compile(tiny(), { batch: 6 });
    const order: number[] = [];
    const calls = Array.from({ length: 20 }, (_, i) =>
      (i % 3 === 0 ? model.backward({ data, label }, { of: ['fc.weight'] }) : model.forward({ data })).then(() =>
        order.push(i),
      ),
    );
    await Promise.all(calls);
    assert.deepEqual(
      order,
      Array.from({ length: 20 }, (_, i) => i),
    );
  });

  it('see the weights that were loaded before them, and no others', async () => {
    await using model = await compile(tiny(), { batch: 6 });
    const bias = (value: number): Record<string, Tensor> => ({
      'fc.bias': { data: new Float32Array(5).fill(value), shape: [5] },
    });
    const zero = { 'fc.weight': { data: new Float32Array(5 * 36), shape: [5, 36] } };
    void model.load({ ...zero, ...bias(1) });
    const first = model.forward({ data }, { fetch: ['fc'] });
    void model.load(bias(2));
    const second = model.forward({ data }, { fetch: ['fc'] });
    const value = async (run: typeof first): Promise<number> => ((await run) as Record<string, Tensor>).fc!.data[0]!;
    assert.equal(await value(first), 1);
    assert.equal(await value(second), 2);
  });

  it('of several models at once give what each gives alone', async () => {
    const models = await Promise.all([1, 2, 3, 4].map((seed) => compile(tiny(), { batch: 6, seed })));
    const alone: Float32Array[] = [];
    for (const model of models) alone.push((await model.forward({ data })).prob.data);
    const together = await Promise.all(Array.from({ length: 40 }, (_, i) => models[i % 4]!.forward({ data })));
    together.forEach(({ prob }, i) => assert.deepEqual(prob.data, alone[i % 4]));
    assert.notDeepEqual(alone[0], alone[1]);
    models.forEach((model) => model.dispose());
  });

  it('bring back results that later runs leave alone', async () => {
    await using model = await compile(tiny(), { batch: 6 });
    const { prob } = await model.forward({ data });
    const kept = prob.data.slice();
    await model.forward({ data: noise([6, 3, 8, 8], 9) });
    assert.deepEqual(prob.data, kept);
  });

  it('copy their inputs: what the caller does after the call is its own affair', async () => {
    await using model = await compile(tiny(), { batch: 6 });
    const expected = (await model.forward({ data })).prob.data;
    const own = { data: data.data.slice(), shape: data.shape };
    const { prob } = await model.forward({ data: own });
    own.data.fill(7);
    assert.deepEqual(prob.data, expected);
  });
});

describe('an AbortSignal', () => {
  before(function () {
    if (simulated) this.skip(); // its runs would take hours
  });
  const net = slow();
  const data = noise([4, ...SLOW_IMAGE]);
  const reason = new Error('enough');

  it('that is aborted already stops a run before it begins', async () => {
    await using model = await compile(net, { batch: 4 });
    await assert.rejects(model.forward({ data }, { signal: AbortSignal.abort(reason) }), reason);
  });

  it('stops a run on its way, and the model goes on', async () => {
    await using model = await compile(net, { batch: 4 });
    await model.forward({ data });
    const start = performance.now();
    await model.forward({ data });
    const whole = performance.now() - start;
    const control = new AbortController();
    const run = model.forward({ data }, { signal: control.signal });
    const next = model.forward({ data });
    await sleep(whole / 4);
    control.abort(reason);
    const aborted = performance.now();
    await assert.rejects(run, reason);
    assert.ok(performance.now() - aborted < whole / 2, 'it should have stopped between two ops');
    assert.ok((await next).out.data.some((v) => v > 0));
  });

  it('stops a queued run without touching the one before', async () => {
    await using model = await compile(net, { batch: 4 });
    const control = new AbortController();
    const first = model.forward({ data });
    const second = model.forward({ data }, { signal: control.signal });
    control.abort(reason);
    await assert.rejects(second, reason);
    assert.equal((await first).out.shape[0], 4);
  });

  it('without a reason of its own gives the usual AbortError', async () => {
    await using model = await compile(net, { batch: 4 });
    const control = new AbortController();
    // Behind others, so that its time is up before it can end, however fast the device.
    const others = [1, 2].map(() => model.forward({ data }));
    const run = model.forward({ data }, { signal: control.signal });
    control.abort();
    await assert.rejects(run, { name: 'AbortError' });
    await assert.rejects(model.forward({ data }, { signal: AbortSignal.timeout(1) }), { name: 'TimeoutError' });
    await Promise.all(others);
  });

  it('that aborts after the run does nothing', async () => {
    await using model = await compile(tiny(), { batch: 2 });
    const control = new AbortController();
    await model.forward({ data: noise([2, 3, 8, 8]) }, { signal: control.signal });
    control.abort(reason);
    await model.forward({ data: noise([2, 3, 8, 8]) });
  });
});

describe('batches', () => {
  it('may be smaller than planned, and every image gets the same answer in any of them', async () => {
    await using model = await compile(tiny(), { batch: 16 });
    const data = noise([16, 3, 8, 8], 7);
    const whole = (await model.forward({ data })).prob;
    for (const size of [1, 3, 7, 16]) {
      const { prob } = await model.forward({ data: rows(data, 0, size) });
      assert.deepEqual(prob.shape, [size, 5]);
      assertClose(prob.data, rows(whole, 0, size).data, `batch ${size}`, 1e-6);
    }
  });

  it('average the loss and its gradients over the images given', async () => {
    await using model = await compile(tiny(), { batch: 16 });
    const [data, label] = [noise([4, 3, 8, 8], 7), labels(4, 5)];
    const of = ['conv.weight', 'fc.bias'];
    const whole = await model.backward({ data, label }, { of });
    const halves = await Promise.all(
      [0, 2].map((at) => model.backward({ data: rows(data, at, at + 2), label: rows(label, at, at + 2) }, { of })),
    );
    assert.ok(Math.abs(whole.loss - (halves[0]!.loss + halves[1]!.loss) / 2) < 1e-6);
    for (const name of of) {
      const mean = whole.gradients[name]!.data.map(
        (_, i) => (halves[0]!.gradients[name]!.data[i]! + halves[1]!.gradients[name]!.data[i]!) / 2,
      );
      assertClose(whole.gradients[name]!.data, mean, name);
    }
  });

  it('of several sizes share the weights', async () => {
    await using model = await compile(tiny(), { batch: 8, solver: sgd({ rate: 0.1 }) });
    const before = (await model.forward({ data: noise([1, 3, 8, 8]) })).prob.data;
    await model.step({ data: noise([8, 3, 8, 8]), label: labels(8, 5) });
    await model.step({ data: noise([3, 3, 8, 8]), label: labels(3, 5) });
    const after = (await model.forward({ data: noise([1, 3, 8, 8]) })).prob.data;
    assert.notDeepEqual(after, before);
    const { parameters } = model.memoryUsage();
    await using other = await compile(tiny(), { batch: 1 });
    assert.equal(other.memoryUsage().parameters, parameters);
    await other.load(await model.weights());
    assert.deepEqual((await other.forward({ data: noise([1, 3, 8, 8]) })).prob.data, after);
  });

  it('come as bytes, doubles, whole numbers or lists too', async () => {
    await using model = await compile(tiny(), { batch: 1 });
    const bytes = Uint8Array.from({ length: 192 }, (_, i) => (i * 37) % 256);
    const { prob } = await model.forward({ data: Float32Array.from(bytes) });
    for (const data of [
      bytes,
      Float64Array.from(bytes),
      Int32Array.from(bytes),
      Array.from(bytes),
      { data: bytes, shape: [1, 3, 8, 8] },
    ]) {
      assert.deepEqual((await model.forward({ data })).prob.data, prob.data);
    }
  });
});

describe('results', () => {
  const data = noise([2, 3, 8, 8]);
  const label = labels(2, 5);

  it('need no inputs but their own', async () => {
    await using model = await compile(tiny(), { batch: 2 });
    const outputs = await model.forward({ data });
    assert.deepEqual(outputs.prob.shape, [2, 5]);
    assert.throws(() => outputs.loss, { code: 'GRAPH', message: /label/ });
    await assert.rejects(model.forward({ data }, { fetch: ['loss'] }), { code: 'GRAPH', message: /label/ });
    await assert.rejects(model.backward({ data }, { of: ['fc.weight'] }), { code: 'GRAPH', message: /label/ });
  });

  it('may be any value, by name', async () => {
    await using model = await compile(tiny(), { batch: 2 });
    const some = (await model.forward({ data }, { fetch: ['conv', 'act', 'conv.weight', 'data'] })) as Record<
      string,
      Tensor
    >;
    assert.deepEqual(some.conv!.shape, [2, 4, 6, 6]);
    assert.deepEqual(
      some.act!.data,
      some.conv!.data.map((v) => Math.max(v, 0)),
    );
    assert.deepEqual(some.data!.data, data.data);
    assert.deepEqual(some['conv.weight']!.data, (await model.weights())['conv.weight']!.data);
  });

  it('start from the gradients given, if any are', async () => {
    await using model = await compile(tiny(), { batch: 2 });
    const ones = { data: new Float32Array(10).fill(1), shape: [2, 5] };
    const { gradients, loss } = await model.backward({ data }, { of: ['fc.bias', 'fc'], from: { fc: ones } });
    assert.equal(loss, 0);
    assert.deepEqual(Array.from(gradients['fc.bias']!.data), [2, 2, 2, 2, 2]);
    assert.deepEqual(gradients.fc!.data, ones.data);
    const twice = await model.backward(
      { data, label },
      { of: ['fc.bias'], from: { fc: ones, prob: { data: new Float32Array(10), shape: [2, 5] } } },
    );
    assertClose(twice.gradients['fc.bias']!.data, [2, 2, 2, 2, 2], 'fc.bias', 1e-6);
  });

  it('add up where a value is used twice', async () => {
    const net = graph({ data: input([4]) }, ({ data: x }) => {
      const shared = dense(x, { name: 'shared', units: 3 });
      const [a, b] = [
        dense(shared, { name: 'a', units: 1, bias: false }),
        dense(shared, { name: 'b', units: 1, bias: false }),
      ];
      return { a, b };
    });
    await using model = await compile(net);
    const weights = await model.weights();
    const one = { data: Float32Array.of(1), shape: [1, 1] };
    const { gradients } = await model.backward({ data: [1, 2, 3, 4] }, { of: ['shared'], from: { a: one, b: one } });
    const sum = weights['a.weight']!.data.map((v, i) => v + weights['b.weight']!.data[i]!);
    assertClose(gradients.shared!.data, sum, 'shared', 1e-6);
  });

  it('stop at stopGradient', async () => {
    const net = graph({ data: input([4]) }, ({ data: x }) => {
      const kept = dense(x, { name: 'kept', units: 3, bias: false });
      const stopped = stopGradient(dense(x, { name: 'stopped', units: 3, bias: false }), { name: 'wall' });
      return { kept, wall: stopped };
    });
    await using model = await compile(net);
    const from = Object.fromEntries(
      ['kept', 'wall'].map((name) => [name, { data: new Float32Array(3).fill(1), shape: [1, 3] }]),
    );
    const { gradients } = await model.backward(
      { data: [1, 2, 3, 4] },
      { of: ['kept.weight', 'stopped.weight', 'data'], from },
    );
    assert.ok(gradients['kept.weight']!.data.every((v) => v !== 0));
    assert.ok(gradients['stopped.weight']!.data.every((v) => v === 0));
    const weight = (await model.weights())['kept.weight']!.data;
    assertClose(
      gradients.data!.data,
      [0, 1, 2, 3].map((i) => weight[i]! + weight[i + 4]! + weight[i + 8]!),
      'data',
      1e-6,
    );
  });
});

describe('work', () => {
  const data = noise([2, 3, 8, 8]);
  const label = labels(2, 5);
  const timed = async (model: Model, of?: readonly string[]): Promise<string[]> => {
    const steps = await model.profile({ data, label }, of ? { of } : {});
    assert.ok(steps.every((step) => step.milliseconds >= 0 && step.bytes > 0));
    return steps.map((step) => step.label);
  };

  it('is done for the gradients asked for, and no others', async () => {
    await using model = await compile(tiny(), { batch: 2 });
    const every = await timed(model, ['conv.weight', 'conv.bias', 'fc.weight', 'fc.bias']);
    assert.ok(every.includes('conv.wgrad') && every.includes('fc.dgrad'));
    assert.ok(!every.includes('conv.dgrad'), "the images' gradient was not asked for");
    assert.ok((await timed(model, ['data'])).includes('conv.dgrad'));
    const last = await timed(model, ['fc.weight']);
    assert.ok(
      !last.some((name) => name.startsWith('conv.') || name === 'fc.dgrad' || name.startsWith('pool.')),
      last.join(' '),
    );
  });

  it('of a forward run leaves out what the outputs do not need', async () => {
    await using model = await compile(tiny(), { batch: 2 });
    const labelsOf = (await model.profile({ data })).map((step) => step.label);
    assert.ok(labelsOf.includes('prob') && !labelsOf.includes('loss'), labelsOf.join(' '));
  });
});

describe('a profile of a training step', () => {
  const data = noise([2, 3, 8, 8]);
  const label = labels(2, 5);

  it('makes the step that it times, the updates among its kernels', async () => {
    await using profiled = await compile(tiny(), { batch: 2, solver: sgd({ rate: 0.1 }) });
    await using stepped = await compile(tiny(), { batch: 2, solver: sgd({ rate: 0.1 }) });
    const times = await profiled.profile({ data, label }, { update: true });
    await stepped.step({ data, label });
    assert.ok(times.every(({ milliseconds }) => milliseconds >= 0));
    const updated = times.filter(({ kernel }) => kernel === 'sgd').map((step) => step.label);
    assert.equal(updated.length, stepped.graph.parameters.length, updated.join(' '));
    assert.equal(profiled.iteration, 1);
    assert.deepEqual(await profiled.weights(), await stepped.weights());
  });

  it('needs a solver', async () => {
    await using model = await compile(tiny(), { batch: 2 });
    await assert.rejects(model.profile({ data, label }, { update: true }), UsageError);
  });
});

describe('the same numbers', () => {
  const net = graph({ data: input([3, 16, 16]), label: input([]) }, ({ data, label }) => {
    let x = relu(conv2d(data, { name: 'conv1', filters: 8, kernel: 5, pad: 2 }));
    x = maxPool(x, { kernel: 3, stride: 2 });
    x = relu(conv2d(x, { name: 'conv2', filters: 8, kernel: 3, groups: 2 }));
    x = dropout(relu(dense(x, { name: 'fc1', units: 32 })), { name: 'drop', ratio: 0.5 });
    return { loss: softmaxLoss(dense(x, { name: 'fc2', units: 10 }), label, { name: 'loss' }) };
  });
  const data = noise([5, 3, 16, 16], 3);
  const label = labels(5, 10);
  const of = ['data', ...net.parameters.map((v) => v.name)];

  it('come with and without the passes', async () => {
    await using all = await compile(net, { batch: 5, seed: 4 });
    await using none = await compile(net, { batch: 5, seed: 4, passes: 'none' });
    const [a, b] = [await all.backward({ data, label }, { of }), await none.backward({ data, label }, { of })];
    assert.ok(Math.abs(a.loss - b.loss) <= 1e-6 * b.loss);
    // conv1 goes by Winograd's algorithm, which loses up to ten times what the direct one does.
    for (const name of of) assertClose(a.gradients[name]!.data, b.gradients[name]!.data, name, 1e-5);
  });

  it('come on one thread, two and three', async () => {
    const results = [];
    for (const threads of [1, 2, 3]) {
      await using model = await compile(net, { batch: 5, seed: 4, threads });
      assert.equal(model.threads, threads);
      results.push(await model.backward({ data, label }, { of }));
    }
    for (const other of results.slice(1)) {
      for (const name of of) assertClose(other.gradients[name]!.data, results[0]!.gradients[name]!.data, name, 1e-6);
    }
  });

  it('come bit for bit from the same seed, and others from another', async () => {
    const run = async (seed: number): Promise<{ first: Float32Array; second: Float32Array }> => {
      await using model = await compile(net, { batch: 5, seed });
      const once = async (): Promise<Float32Array> =>
        ((await model.forward({ data, label }, { phase: 'train', fetch: ['drop'] })) as Record<string, Tensor>).drop!
          .data;
      return { first: await once(), second: await once() };
    };
    const [a, b, c] = [await run(4), await run(4), await run(5)];
    assert.deepEqual(a, b);
    assert.notDeepEqual(a.first, a.second, 'each run draws its own mask');
    assert.notDeepEqual(a.first, c.first);
  });

  it('come from dropout in the test phase as if it were not there', async () => {
    await using model = await compile(net, { batch: 5 });
    const got = (await model.forward({ data }, { fetch: ['drop', 'fc1', 'relu3'] })) as Record<string, Tensor>;
    assert.deepEqual(got.drop!.data, got.relu3!.data);
  });
});

describe('training', () => {
  it('lowers the loss until the net knows its images', async () => {
    await using model = await compile(tiny(), { batch: 8, seed: 2, solver: sgd({ rate: 0.1, momentum: 0.9 }) });
    const [data, label] = [noise([8, 3, 8, 8], 5), labels(8, 5)];
    const first = (await model.step({ data, label })).loss;
    let last = first;
    for (let i = 0; i < 60; i++) last = (await model.step({ data, label })).loss;
    assert.ok(first > 1 && last < 0.05, `loss ${first} → ${last}`);
    const { prob } = await model.forward({ data });
    label.data.forEach((own, n) => assert.ok(prob.data[n * 5 + own]! > 0.8));
  });

  it('steps by rate times gradient', async () => {
    await using model = await compile(tiny(), { batch: 4, solver: sgd({ rate: 0.5, weightDecay: 0.01 }) });
    const [data, label] = [noise([4, 3, 8, 8]), labels(4, 5)];
    const before = await model.weights();
    const { gradients } = await model.backward({ data, label }, { of: Object.keys(before) });
    await model.step({ data, label });
    const after = await model.weights();
    for (const [name, { data: w }] of Object.entries(before)) {
      const expected = w.map((v, i) => v - 0.5 * (gradients[name]!.data[i]! + 0.01 * v));
      assertClose(after[name]!.data, expected, name, 1e-6);
    }
  });

  it('at rate 0 changes nothing', async () => {
    await using model = await compile(tiny(), { batch: 4, solver: sgd({ rate: 0.5 }) });
    const before = await model.weights();
    model.rate = 0;
    await model.step({ data: noise([4, 3, 8, 8]), label: labels(4, 5) });
    assert.deepEqual(await model.weights(), before);
    assert.throws(() => (model.rate = -1), { code: 'USAGE' });
  });
});
