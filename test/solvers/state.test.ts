import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import {
  adam,
  compile,
  dense,
  dropout,
  graph,
  input,
  rates,
  relu,
  sgd,
  softmaxLoss,
  type Graph,
  type Solver,
} from '../../lib/index.js';
import { simulated } from '../support/device.js';
import { labels, noise, tiny } from '../support/nets.js';

/** Two dense layers with dropout between them. */
function dropping(units = 16): Graph<'data' | 'label', 'loss'> {
  return graph({ data: input([12]), label: input([]) }, ({ data, label }) => {
    const hidden = dropout(relu(dense(data, { name: 'fc1', units })), { name: 'drop' });
    return { loss: softmaxLoss(dense(hidden, { name: 'fc2', units: 5 }), label, { name: 'loss' }) };
  });
}

const batch = (i: number): { data: ReturnType<typeof noise>; label: ReturnType<typeof labels> } => ({
  data: noise([4, 12], i + 1),
  label: labels(4, 5, i + 1),
});

describe("a solver's state", () => {
  const rate = rates.multistep({ base: 0.1, gamma: 0.5, at: [2, 4] });
  const solvers: Readonly<Record<string, Solver>> = {
    'sgd with a falling rate': sgd({ rate, momentum: 0.9 }),
    'adam with added runs': adam({ rate: 0.01, iterSize: 2, clip: 1 }),
  };
  for (const [name, solver] of Object.entries(solvers)) {
    it(`goes on to the same bits: ${name}`, async () => {
      using whole = await compile(dropping(), { batch: 4, solver });
      for (let i = 0; i < 6; i++) await whole.step(batch(i));
      const [weights, state] = await Promise.all([whole.weights(), whole.solverState()]);
      using resumed = await compile(dropping(), { batch: 4, solver });
      await Promise.all([resumed.load(weights), resumed.loadSolverState(structuredClone(state))]);
      assert.deepEqual([resumed.iteration, resumed.rate], [whole.iteration, whole.rate]);
      for (let i = 6; i < 10; i++) {
        const [a, b] = [await whole.step(batch(i)), await resumed.step(batch(i))];
        assert.equal(a.loss, b.loss);
      }
      assert.deepEqual(await resumed.weights(), await whole.weights());
      assert.deepEqual(await resumed.solverState(), await whole.solverState());
    });
  }

  it('keeps a rate that was set by hand', async () => {
    using model = await compile(dropping(), { batch: 4, solver: sgd({ rate }) });
    model.rate = 0.25;
    for (let i = 0; i < 3; i++) await model.step(batch(i));
    assert.equal(model.rate, 0.25);
    const state = await model.solverState();
    await model.initialize();
    assert.deepEqual([model.iteration, model.rate], [0, 0.1]);
    await model.loadSolverState(state);
    assert.deepEqual([model.iteration, model.rate], [3, 0.25]);
  });

  it('averages the loss over the runs of an iteration, and is not saved within one', async () => {
    using model = await compile(dropping(), { batch: 4, solver: sgd({ rate: 0, iterSize: 2 }) });
    const [first, second] = [await model.step(batch(0)), await model.step(batch(1))];
    const losses = [first, second].map(({ outputs }) => outputs.loss.data[0]!);
    assert.deepEqual([first.loss, first.updated], [losses[0], false]);
    assert.deepEqual([second.loss, second.updated], [(losses[0]! + losses[1]!) / 2, true]);
    await model.step(batch(2));
    await assert.rejects(model.solverState(), { code: 'USAGE', message: /end of an iteration .* run 1 of 2/ });
  });

  it('is refused when it is of another net or solver', async () => {
    using model = await compile(dropping(), { batch: 4, solver: sgd({ rate: 0.1 }) });
    using other = await compile(tiny(), { batch: 4, solver: sgd({ rate: 0.1 }) });
    using moments = await compile(dropping(), { batch: 4, solver: adam({ rate: 0.1 }) });
    using wider = await compile(dropping(17), { batch: 4, solver: sgd({ rate: 0.1 }) });
    const state = await model.solverState();
    await assert.rejects(other.loadSolverState(state), {
      code: 'GRAPH',
      message: /history of its parameters, got .*fc1/,
    });
    await assert.rejects(moments.loadSolverState(state), { code: 'GRAPH', message: /2 tensors .* adam keeps, got 1/ });
    await assert.rejects(wider.loadSolverState(state), { code: 'SHAPE', message: /fc1/ });
    await assert.rejects(model.loadSolverState({ ...state, iteration: -1 }), { code: 'USAGE', message: /iteration/ });
    using untrained = await compile(dropping());
    await assert.rejects(untrained.solverState(), { code: 'USAGE', message: /solver/ });
  });
});

describe('a cancelled step', () => {
  it('has happened as a whole or not at all', async () => {
    using model = await compile(dropping(simulated ? 500 : 20_000), {
      batch: 4,
      solver: sgd({ rate: 0.1, momentum: 0.9 }),
    });
    const started = performance.now();
    await model.step(batch(0));
    const long = performance.now() - started;
    for (let i = 0; i < 20; i++) {
      const [iteration, before] = [model.iteration, await model.weights()];
      const abort = new AbortController();
      const step = model.step(batch(i), { signal: abort.signal }).catch((error: unknown) => error);
      await setTimeout((long * i) / 20);
      abort.abort();
      await step;
      const after = await model.weights();
      for (const name of Object.keys(before)) {
        const same = Buffer.from(before[name]!.data.buffer).equals(Buffer.from(after[name]!.data.buffer));
        assert.equal(same, model.iteration === iteration, `${name} after ${i}`);
      }
    }
  });
});
