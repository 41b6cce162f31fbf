/** Every wrong call gets its typed error, and the model, the process and other runs live on. */
import assert from 'node:assert/strict';
import {
  compile,
  conv2d,
  dense,
  DeviceError,
  DisposedError,
  GraphError,
  graph,
  input,
  OutOfMemoryError,
  relu,
  sgd,
  ShapeError,
  softmaxLoss,
  UsageError,
  type Feed,
  type Graph,
  type Model,
  type Tensor,
} from '../../lib/index.js';
import { labels, noise, slow, SLOW_IMAGE, tiny } from '../support/nets.js';

/** What TypeScript would not let a caller write, but JavaScript would. */
const loose = (value: unknown): Feed => value as Feed;

describe('wrong inputs', () => {
  const net = tiny();
  const data = noise([2, 3, 8, 8]);
  let model: Model<'data' | 'label', 'prob' | 'loss'>;
  let expected: Float32Array;

  before(async () => {
    model = await compile(net, { batch: 4 });
    expected = (await model.forward({ data })).prob.data;
  });
  afterEach('the model lives on', async () => assert.deepEqual((await model.forward({ data })).prob.data, expected));
  after(() => model.dispose());

  const fails = (feeds: Record<string, unknown>, kind: new (message: string) => Error, says: RegExp): Promise<void> =>
    assert.rejects(model.forward(feeds), (error: unknown) => {
      assert.ok(error instanceof kind, `expected ${kind.name}, got ${String(error)}`);
      assert.match(error.message, says);
      return true;
    });

  it('of another shape name the input and both shapes', async () => {
    await fails({ data: noise([2, 3, 8, 7]) }, ShapeError, /^data: .*\(N, 3, 8, 8\).*\(2, 3, 8, 7\)/);
    await fails({ data: noise([3, 8, 8]) }, ShapeError, /^data: .*\(N, 3, 8, 8\).*\(3, 8, 8\)/);
    await fails({ data: new Float32Array(191) }, ShapeError, /^data: .*192.*191/);
    await fails({ data: new Float32Array(0) }, ShapeError, /^data: /);
    await fails({ data: { data: new Float32Array(0), shape: [0, 3, 8, 8] } }, ShapeError, /^data: /);
    await fails({ data: { data: new Float32Array(192), shape: [2, 3, 8, 8] } }, ShapeError, /^data: .*384.*192/);
  });

  it('with shapes that are none', async () => {
    for (const shape of [
      [-1, 3, 8, -8],
      [1.5, 3, 8, 8],
      [NaN, 3, 8, 8],
      [1, 3, 8, 8, 1],
    ]) {
      await fails({ data: { data: new Float32Array(192), shape } }, ShapeError, /^data: /);
    }
  });

  it('of more rows than planned, or of unequal numbers', async () => {
    await fails({ data: noise([5, 3, 8, 8]) }, ShapeError, /^data: .*4.*5/);
    await fails({ data, label: labels(3, 5) }, ShapeError, /^label: .*2.*data.*3/);
  });

  it('of another type', async () => {
    const kinds = [
      null,
      3,
      'pixels',
      {},
      { data: [1, 2] },
      { data: new Float32Array(192) },
      { data: new Float32Array(192), shape: ['1', 3, 8, 8] },
      new BigInt64Array(192),
      new Int16Array(192),
      () => 1,
      Symbol('s'),
      true,
    ];
    for (const value of kinds) await fails({ data: loose(value) }, UsageError, /^data: expected/);
    await fails({ data: Array.from({ length: 192 }, () => 'x') }, UsageError, /^data: expected/);
  });

  it('of another name', async () => {
    for (const name of ['date', 'constructor', '__proto__', 'toString', '']) {
      await fails(Object.defineProperty({}, name, { value: data, enumerable: true }), GraphError, /data, label/);
    }
    await assert.rejects(model.forward({ data }, { fetch: ['prop'] }), { code: 'GRAPH', message: /"prop"/ });
    await assert.rejects(model.backward({ data }, { of: ['conv.wait'] }), { code: 'GRAPH', message: /"conv.wait"/ });
    await assert.rejects(model.backward({ data }, { of: ['fc.bias'], from: { pro: [1] } }), {
      code: 'GRAPH',
      message: /"pro"/,
    });
    await assert.rejects(model.load({ prob: [1] }), { code: 'GRAPH', message: /"prob"/ });
  });

  it('missing, when the results need them', async () => {
    await assert.rejects(model.forward({}, { fetch: ['prob'] }), { code: 'GRAPH', message: /"data"/ });
    await assert.rejects(model.backward({ data }, { of: ['fc.bias'] }), { code: 'GRAPH', message: /"label"/ });
  });

  it('as gradients of another size', async () => {
    await assert.rejects(model.backward({ data }, { of: ['fc.bias'], from: { fc: new Float32Array(9) } }), {
      code: 'SHAPE',
      message: /fc.*\(2, 5\).*9/,
    });
  });

  it('as weights of another size, which change nothing', async () => {
    const good = { data: new Float32Array(4), shape: [4] };
    await assert.rejects(model.load({ 'conv.bias': good, 'fc.bias': new Float32Array(6) }), {
      code: 'SHAPE',
      message: /fc\.bias.*\(5\).*6/,
    });
  });

  it('whose buffer was transferred before or after the call', async () => {
    const gone = new Float32Array(192);
    structuredClone(gone.buffer, { transfer: [gone.buffer] });
    await fails({ data: gone }, ShapeError, /^data: /);
    const going = new Float32Array(192);
    const first = model.forward({ data });
    const second = model.forward({ data: going });
    structuredClone(going.buffer, { transfer: [going.buffer] });
    assert.deepEqual((await first).prob.data, expected);
    await assert.rejects(second, { code: 'USAGE' });
  });

  it('as labels that name no class cost the most a label can, and teach nothing', async () => {
    for (const label of [-1, 5, 1e30, -1e30, NaN, Infinity]) {
      const { loss, gradients } = await model.backward({ data, label: [label, label] }, { of: ['fc.weight', 'fc'] });
      // -log of the smallest normal number, as in Caffe.
      assert.ok(Math.abs(loss - 87.33654) < 1e-4, `label ${label}: loss ${loss}`);
      assert.ok(gradients.fc!.data.every((v) => v === 0));
    }
  });

  it('with NaN, when the caller asks for none', async () => {
    const bad = { data: data.data.slice(), shape: data.shape };
    bad.data[5] = NaN;
    const { conv } = (await model.forward({ data: bad }, { fetch: ['conv'] })) as Record<string, Tensor>;
    assert.ok(conv!.data.some(Number.isNaN), 'unasked, it is computed with');
    await assert.rejects(model.forward({ data: bad }, { checkFinite: true }), { code: 'NOT_FINITE', message: /data/ });
    const huge = { data: data.data.map(() => 3e38), shape: data.shape };
    await assert.rejects(model.forward({ data: huge }, { checkFinite: true }), {
      code: 'NOT_FINITE',
      message: /conv|fc/,
    });
    assert.deepEqual((await model.forward({ data }, { checkFinite: true })).prob.data, expected);
  });
});

describe('wrong graphs', () => {
  const build = (draw: () => unknown, message: RegExp, code = 'SHAPE'): void => {
    assert.throws(draw, { code, message });
  };
  const image = { data: input([3, 8, 8]) };

  it('name the layer, the rule and both sides', () => {
    build(
      () => graph(image, ({ data }) => ({ y: conv2d(data, { name: 'big', filters: 2, kernel: 9 }) })),
      /^big: .*8x8.*9x9/,
    );
    build(
      () => graph(image, ({ data }) => ({ y: conv2d(data, { name: 'two', filters: 2, kernel: 1, groups: 2 }) })),
      /^two: .*groups 2.*3/,
    );
    build(
      () => graph(image, ({ data }) => ({ y: conv2d(data, { name: 'none', filters: 0, kernel: 1 }) })),
      /^none: .*filters.*0/,
    );
    build(() => graph(image, ({ data }) => ({ y: dense(data, { name: 'odd', units: 1.5 }) })), /^odd: .*units.*1\.5/);
    build(
      () =>
        graph(image, ({ data }) => {
          const a = dense(data, { name: 'a', units: 3 });
          return { b: dense(data, { name: 'b', units: 4, params: { weight: { share: a } } }) };
        }),
      /^b: .*\(4, 192\).*\(1, 3\)/,
    );
    build(
      () => graph(image, ({ data }) => ({ y: softmaxLoss(dense(data, { units: 3 }), data, { name: 'loss' }) })),
      /^loss: /,
    );
    build(() => graph({ data: input([3, -8, 8]) }, ({ data }) => ({ y: relu(data) })), /^data: .*-8/);
    build(() => graph({ data: input([2 ** 20, 2 ** 20]) }, ({ data }) => ({ y: relu(data) })), /^data: /);
    build(
      () => graph(image, ({ data }) => ({ y: conv2d(data, { name: 'huge', filters: 2 ** 33, kernel: 1 }) })),
      /^huge/,
    );
  });

  it('with names twice, or values of another graph', () => {
    build(() => graph(image, ({ data }) => ({ y: relu(relu(data, { name: 'r' }), { name: 'r' }) })), /"r"/, 'GRAPH');
    const other = graph(image, ({ data }) => ({ y: relu(data) }));
    build(() => graph(image, () => ({ y: other.outputs.y })), /"y"/, 'GRAPH');
    build(
      () => graph(image, ({ data }) => ({ y: dense(data, { units: 2, params: { waist: {} } }) })),
      /weight, bias.*"waist"/,
      'GRAPH',
    );
  });
});

describe('wrong options', () => {
  const net = tiny();
  it('of compile', async () => {
    for (const batch of [0, -1, 1.5, NaN, 2 ** 40]) await assert.rejects(compile(net, { batch }), UsageError);
    for (const threads of [0, 1025, NaN]) await assert.rejects(compile(net, { threads }), UsageError);
    for (const seed of [-1, 0.5, 2 ** 60]) await assert.rejects(compile(net, { seed }), UsageError);
    await assert.rejects(compile(net, { device: 'abacus' }), DeviceError);
    await assert.rejects(compile(net, { precision: 'float64' as 'float32' }), UsageError);
  });
  it('of a solver, and steps without one', async () => {
    for (const rate of [-1, NaN, Infinity]) assert.throws(() => sgd({ rate }), UsageError);
    await using model = await compile(net);
    await assert.rejects(model.step({ data: noise([1, 3, 8, 8]), label: [0] }), { code: 'USAGE', message: /solver/ });
  });
});

describe('a batch too large for memory', () => {
  /** Ten bytes of work for every byte of input: 1 GB an image. */
  const wide = (): Graph<'data', 'y'> =>
    graph({ data: input([1, 16, 16]) }, ({ data }) => ({
      y: conv2d(data, { name: 'wide', filters: 1_000_000, kernel: 1 }),
    }));

  it('is an OutOfMemoryError, and the model goes on with a smaller one', async () => {
    await using model = await compile(wide(), { batch: 4096 });
    await assert.rejects(model.forward({ data: new Float32Array(4096 * 256) }, { fetch: ['wide'] }), OutOfMemoryError);
    await using small = await compile(tiny(), { batch: 2 });
    assert.equal((await small.forward({ data: noise([2, 3, 8, 8]) })).prob.shape[0], 2);
    await assert.rejects(model.forward({ data: new Float32Array(2048 * 256) }), OutOfMemoryError);
  });
});

describe('dispose', () => {
  const data = noise([4, ...SLOW_IMAGE]);
  const net = slow();

  it('rejects runs on their way and waiting, and later calls', async () => {
    const model = await compile(net, { batch: 4 });
    const runs = [
      model.forward({ data }),
      model.forward({ data }),
      model.backward({ data }, { of: ['conv0.weight'], from: { [net.outputs.out.name]: data } }),
    ];
    setTimeout(() => model.dispose(), 20);
    for (const { status, ...rest } of await Promise.allSettled(runs)) {
      assert.equal(status, 'rejected');
      assert.ok(
        (rest as PromiseRejectedResult).reason instanceof DisposedError,
        String((rest as PromiseRejectedResult).reason),
      );
    }
    model.dispose();
    model[Symbol.dispose]();
    await model[Symbol.asyncDispose]();
    await assert.rejects(model.forward({ data }), DisposedError);
    await assert.rejects(
      model.backward({ data }, { of: ['data'] }),
      (error) => error instanceof DisposedError || error instanceof GraphError,
    );
    await assert.rejects(model.weights(), DisposedError);
    await assert.rejects(model.load({}), DisposedError);
    await assert.rejects(model.profile({ data }), DisposedError);
    assert.equal(model.memoryUsage().total, 0);
  });

  it('at any moment of a run leaves other models alone', async () => {
    await using other = await compile(tiny(), { batch: 2 });
    const expected = (await other.forward({ data: noise([2, 3, 8, 8]) })).prob.data;
    for (const delay of [0, 0, 1, 2, 4, 8, 16]) {
      const model = await compile(net, { batch: 4 });
      const run = model.forward({ data });
      const beside = other.forward({ data: noise([2, 3, 8, 8]) });
      if (delay === 0) model.dispose();
      else setTimeout(() => model.dispose(), delay);
      await assert.rejects(run, DisposedError);
      assert.deepEqual((await beside).prob.data, expected);
    }
  });

  it('in the same tick as the call still rejects', async () => {
    const model = await compile(tiny());
    const run = model.forward({ data: noise([1, 3, 8, 8]) });
    model.dispose();
    await assert.rejects(run, DisposedError);
  });

  it('comes by itself at the end of `using`', async () => {
    let kept: Model | undefined;
    {
      using model = await compile(tiny());
      kept = model;
    }
    await assert.rejects(kept.forward({ data: noise([1, 3, 8, 8]) }), DisposedError);
  });
});
