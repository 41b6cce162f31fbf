/** Inputs that were brought to the device beforehand: what arrays would give, as often as one likes, until they are disposed. */
import assert from 'node:assert/strict';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineOp, layer } from '../../lib/custom.js';
import {
  compile,
  dense,
  fixedInput,
  graph,
  input,
  relu,
  scale,
  sgd,
  type DeviceInputs,
  type Feed,
  type Images,
  type Model,
} from '../../lib/index.js';
import { simulated } from '../support/device.js';
import { labels, noise, tiny } from '../support/nets.js';
import { sanitized } from '../support/sanitizer.js';

const solver = sgd({ rate: 0.01, momentum: 0.9 });
const data = noise([6, 3, 8, 8], 4);
const label = labels(6, 5);

/** Whether an entry of Node's timeline is a collection of garbage in the whole heap. */
const isMajorCollection = (entry: object): boolean =>
  (entry as { readonly detail: { readonly kind: number } }).detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR;

/** y = x. */
const identity = (shape: readonly number[]): ReturnType<typeof graph<'x', 'y'>> =>
  graph({ x: input(shape) }, ({ x }) => ({ y: relu(x, { slope: 1 }) }));

describe('uploaded inputs', () => {
  it('give what arrays give, in runs of every kind', async () => {
    await using model = await compile(tiny(), { batch: 6, solver });
    using there = await model.upload({ data, label });
    const of = ['conv.weight', 'data'];
    assert.deepEqual(await model.forward(there), await model.forward({ data, label }));
    assert.deepEqual(await model.forward(there, { fetch: ['act'] }), await model.forward({ data }, { fetch: ['act'] }));
    assert.deepEqual(await model.backward(there, { of }), await model.backward({ data, label }, { of }));
    const steps = async (inputs: Record<'data' | 'label', Feed> | DeviceInputs<'data' | 'label'>): Promise<unknown> => {
      await using fresh = await compile(tiny(), { batch: 6, solver });
      const losses: number[] = [];
      for (let i = 0; i < 3; i++) losses.push((await fresh.step(inputs)).loss);
      return [losses, await fresh.weights()];
    };
    assert.deepEqual(await steps(there), await steps({ data, label }));
    const [theirs, ours] = [await model.profile(there, { of }), await model.profile({ data, label }, { of })];
    assert.deepEqual(
      theirs.map((step) => step.label),
      ours.map((step) => step.label),
    );
  });

  it('come while runs are on their way, and do not change what these find', async () => {
    const batches = [3, 4, 5, 6].map((seed) => ({ data: noise([6, 3, 8, 8], seed), label: labels(6, 5, seed) }));
    const expected: number[] = [];
    await using other = await compile(tiny(), { batch: 6, solver });
    for (const batch of batches) expected.push((await other.step(batch)).loss);
    await using model = await compile(tiny(), { batch: 6, solver });
    const losses: number[] = [];
    let next = model.upload(batches[0]!);
    for (let i = 0; i < batches.length; i++) {
      using here = await next;
      const step = model.step(here);
      if (i + 1 < batches.length) next = model.upload(batches[i + 1]!);
      losses.push((await step).loss);
    }
    assert.deepEqual(losses, expected);
  });

  it('of fewer images than the batch, in part, beside arrays, and of another model by another name', async () => {
    await using model = await compile(tiny(), { batch: 6 });
    const few = { data: noise([2, 3, 8, 8]), label: labels(2, 5) };
    const expected = await model.forward(few);
    using pictures = await model.upload({ data: few.data });
    assert.deepEqual(pictures.tensors.data.shape, [2, 3, 8, 8]);
    assert.deepEqual((await model.forward(pictures)).prob, expected.prob);
    assert.deepEqual(await model.forward({ ...pictures.tensors, label: few.label }), expected);
    await using other = await compile(identity([3, 8, 8]), { batch: 2 });
    assert.deepEqual((await other.forward({ x: pictures.tensors.data })).y.data, few.data.data);
    model.dispose();
    assert.deepEqual((await other.forward({ x: pictures.tensors.data })).y.data, few.data.data);
  });

  it('may be pictures, normalized on their way, and inputs without a batch', async () => {
    const net = graph({ x: input([3, 4, 4]), factor: fixedInput([3]) }, ({ x, factor }) => ({
      y: scale(x, { by: factor }),
    }));
    await using model = await compile(net, { batch: 2 });
    const x: Images = {
      data: Uint8Array.from({ length: 96 }, (_, i) => (i * 37) % 256),
      shape: [2, 3, 4, 4],
      mean: { data: Float32Array.of(1, 2, 3), shape: [3] },
      scale: Float32Array.of(0.5, 0.25, 2),
    };
    const inputs = { x, factor: [1, -1, 2] };
    using there = await model.upload(inputs);
    assert.deepEqual(await model.forward(there), await model.forward(inputs));
  });

  it('reach steps in JavaScript', async () => {
    const twiceOp = defineOp({
      name: 'twice',
      attributes: (_: object) => ({}),
      outputs: ([x]) => [{ shape: x! }],
      forward: (e) => e.compute(([x], [y]) => x!.forEach((v, i) => (y![i] = 2 * v)), e.inputs, e.outputs),
    });
    const net = graph({ x: input([5]), bias: input([5]) }, ({ x, bias }) => ({
      y: dense(layer(twiceOp, [bias], {})[0]!, { name: 'a', units: 3 }),
      z: layer(twiceOp, [relu(x)], {})[0]!,
    }));
    await using model = await compile(net, { batch: 4 });
    const inputs = { x: noise([4, 5], 1), bias: noise([4, 5], 2) };
    using there = await model.upload(inputs);
    assert.deepEqual(await model.forward(there), await model.forward(inputs));
  });

  it('of every type arrive whole, in however many pieces', async () => {
    const count = 2_500_000;
    await using model = await compile(identity([count]), { batch: 1 });
    const values = Float32Array.from({ length: count }, (_, i) => (i * 7919) % 251);
    for (const Type of [Float32Array, Float64Array, Int32Array, Uint8Array]) {
      using there = await model.upload({ x: Type.from(values) });
      assert.ok(Buffer.from((await model.forward(there)).y.data.buffer).equals(Buffer.from(values.buffer)), Type.name);
    }
  });

  it('batch after batch have V8 collect no garbage', async function () {
    if (sanitized) this.skip(); // for which their own memory is reason enough
    const count = 20_000_000;
    await using model = await compile(identity([count]), { batch: 1 });
    const values = new Float32Array(count);
    let collections = 0;
    const observer = new PerformanceObserver((list) => {
      collections += list.getEntries().filter(isMajorCollection).length;
    });
    observer.observe({ entryTypes: ['gc'] });
    let next = await model.upload({ x: values });
    for (let i = 0; i < 10; i++) {
      using _ = next;
      next = await model.upload({ x: values });
    }
    next.dispose();
    await sleep(100);
    observer.disconnect();
    assert.ok(collections < 6, `${collections} in 10 uploads of 80 MB`);
  });

  it('are released by dispose(), which lets a run that has begun end', async () => {
    await using model = await compile(tiny(), { batch: 6 });
    const expected = await model.forward({ data });
    const there = await model.upload({ data });
    assert.ok(there.bytes >= 4 * data.data.length);
    await model.forward(there);
    const begun = model.forward(there);
    const waiting = model.forward(there);
    // A run without arrays begins in the microtasks of its call.
    for (let i = 0; i < 20; i++) await Promise.resolve();
    there.dispose();
    there.dispose();
    assert.equal(there.bytes, 0);
    assert.deepEqual(await begun, expected);
    const gone = { code: 'DISPOSED', message: /^data: .*disposed/ };
    await assert.rejects(waiting, gone);
    await assert.rejects(model.forward(there), gone);
    await assert.rejects(model.forward({ data: there.tensors.data }), gone);
    assert.deepEqual(await model.forward({ data }), expected);
  });

  it('that do not fit are refused', async () => {
    await using model = await compile(tiny(), { batch: 6, solver });
    await using small = await compile(tiny(), { batch: 4 });
    await using other = await compile(identity([5]), { batch: 6 });
    using there = await model.upload({ data, label });
    const { tensors } = there;
    const refuses = (work: Promise<unknown>, code: string, message: RegExp): Promise<void> =>
      assert.rejects(work, { code, message });
    await refuses(small.forward(there), 'SHAPE', /^data: expected at most the 4 rows/);
    await refuses(other.forward({ x: tensors.data }), 'SHAPE', /^x: expected shape \(N, 5\).*got \(6, 3, 8, 8\)/);
    await refuses(model.step({ data: tensors.data, label: [1, 2] }), 'SHAPE', /^label: expected 6 rows as in data/);
    await refuses(model.upload({ data: tensors.data }), 'USAGE', /^data: .*on the device already/);
    await refuses(model.load({ 'fc.bias': tensors.label }), 'USAGE', /^fc\.bias: expected numbers/);
    await refuses(model.upload({ data: noise([7, 3, 8, 8]) }), 'SHAPE', /at most the 6 rows/);
    await refuses(model.upload({ dta: data } as never), 'GRAPH', /"dta"/);
    await refuses((model as Model).forward(await other.upload({ x: new Float32Array(5) })), 'GRAPH', /"x"/);
    model.dispose();
    await refuses(model.upload({ data }), 'DISPOSED', /tiny/);
  });

  it('whose array is transferred on its way are refused', async () => {
    const count = 2_500_000;
    await using model = await compile(identity([count]), { batch: 1 });
    const going = new Float32Array(count);
    const upload = model.upload({ x: going });
    structuredClone(going.buffer, { transfer: [going.buffer] });
    await assert.rejects(upload, { code: 'USAGE', message: /transferred/ });
  });

  it('of another device are refused', async function () {
    if (!simulated) this.skip(); // there is but one
    await using here = await compile(tiny(), { batch: 6, device: 'cpu' });
    await using there = await compile(tiny(), { batch: 6, device: 'cuda-sim' });
    using uploaded = await there.upload({ data });
    await assert.rejects(here.forward(uploaded), {
      code: 'USAGE',
      message: /^data: expected a tensor on cpu.*got one on cuda-sim/,
    });
  });
});
