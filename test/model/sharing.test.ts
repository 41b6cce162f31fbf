/** Two nets over one set of parameters, and steps that must not happen. */
import assert from 'node:assert/strict';
import {
  compile,
  constant,
  dense,
  dropout,
  euclideanLoss,
  graph,
  input,
  sgd,
  softmax,
  softmaxLoss,
} from '../../lib/index.js';
import { labels, noise, tiny } from '../support/nets.js';

const solver = sgd({ rate: 0.1, momentum: 0.9 });
const data = noise([2, 3, 8, 8]);
const label = labels(2, 5);

describe('a model with the weights of another', () => {
  it('sees each update at once, and keeps its own results', async () => {
    await using trained = await compile(tiny(), { batch: 2, solver });
    await using other = await compile(tiny(), { batch: 4, weightsOf: trained });
    const before = (await other.forward({ data })).prob.data;
    assert.deepEqual(before, (await trained.forward({ data })).prob.data);
    const step = trained.step({ data, label });
    const after = other.forward({ data }); // queued behind the step, though no one has waited for it
    await step;
    assert.deepEqual((await after).prob.data, (await trained.forward({ data })).prob.data);
    assert.notDeepEqual((await after).prob.data, before);
    assert.equal(other.memoryUsage().parameters, 0);
  });

  it('leaves the random numbers of the other alone', async () => {
    const dropping = (): ReturnType<typeof tiny> =>
      graph({ data: input([3, 8, 8]), label: input([]) }, ({ data, label }) => {
        const fc = dense(dropout(data), { name: 'fc', units: 5 });
        return { prob: softmax(fc), loss: softmaxLoss(fc, label) };
      });
    const run = async (evaluate: boolean): Promise<Readonly<Record<string, unknown>>> => {
      await using model = await compile(dropping(), { batch: 2, solver });
      await using other = await compile(dropping(), { batch: 2, weightsOf: model });
      for (let i = 0; i < 3; i++) {
        await model.step({ data, label });
        if (evaluate) await other.forward({ data });
      }
      return await model.weights();
    };
    assert.deepEqual(await run(true), await run(false));
  });

  it('needs a model that has its parameters', async () => {
    await using model = await compile(tiny(), { batch: 2, solver });
    const stranger = graph({ data: input([4]) }, ({ data }) => ({ y: dense(data, { name: 'ip', units: 2 }) }));
    await assert.rejects(compile(stranger, { weightsOf: model }), { code: 'GRAPH', message: /"ip.weight"/ });
    const wider = graph({ data: input([3, 8, 8]), label: input([]) }, ({ data, label }) => {
      const fc = dense(data, { name: 'fc', units: 7 });
      return { prob: softmax(fc), loss: softmaxLoss(fc, label) };
    });
    await assert.rejects(compile(wider, { weightsOf: model }), { code: 'SHAPE', message: /fc.weight/ });
    await assert.rejects(compile(tiny(), { weightsOf: model, solver }), { code: 'USAGE' });
    await using other = await compile(tiny(), { weightsOf: model });
    await assert.rejects(other.initialize(), { code: 'USAGE' });
  });

  it('ends with it', async () => {
    const model = await compile(tiny(), { batch: 2, solver });
    const other = await compile(tiny(), { batch: 2, weightsOf: model });
    other.dispose();
    await model.forward({ data });
    const third = await compile(tiny(), { batch: 2, weightsOf: model });
    model.dispose();
    await assert.rejects(third.forward({ data }), { code: 'DISPOSED' });
    third.dispose();
  });
});

describe('a step whose loss or gradients are not finite', () => {
  for (const checkFinite of [false, true]) {
    it(`changes nothing${checkFinite ? ' and names the first layer' : ''}`, async () => {
      await using model = await compile(tiny(), { batch: 2, solver });
      await model.step({ data, label });
      const [weights, state] = await Promise.all([model.weights(), model.solverState()]);
      const bad = { ...data, data: data.data.map((v, i) => (i === 7 ? NaN : v)) };
      const message = checkFinite ? /^input data: .*NaN/ : /^conv.wgrad: .*NaN/;
      await assert.rejects(model.step({ data: bad, label }, { checkFinite }), { code: 'NOT_FINITE', message });
      assert.deepEqual(await model.weights(), weights);
      assert.deepEqual((await model.solverState()).history, state.history);
      assert.equal(model.iteration, 1);
    });
  }

  for (const [name, x, finite] of [
    ['overflows', [[1e25], [1e25]], false],
    ['could, by its factors, but does not', [[1e25], [0]], true],
  ] as const) {
    it(`${finite ? 'happens' : 'is refused'} where the gradient of a dense weight ${name}`, async () => {
      const net = graph({ x: input([1]), target: input([1]) }, ({ x, target }) => ({
        loss: euclideanLoss(dense(x, { name: 'fc', units: 1, params: { weight: { filler: constant(0) } } }), target),
      }));
      await using model = await compile(net, { batch: 2, solver: sgd({ rate: 0.1 }) });
      const feeds = { x: Float32Array.from(x.flat()), target: Float32Array.of(0, 1e18) };
      if (finite) await model.step(feeds);
      else await assert.rejects(model.step(feeds), { code: 'NOT_FINITE', message: /^fc.wgrad: .*infin/ });
      assert.equal((await model.weights())['fc.bias']!.data[0]! > 0, finite);
    });
  }
});
