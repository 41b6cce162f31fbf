import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import {
  accuracy,
  adam,
  CortadoError,
  compile,
  conv2d,
  dense,
  DivergedError,
  dropout,
  graph,
  input,
  rates,
  relu,
  sgd,
  softmaxLoss,
  type Graph,
  type Model,
  type Solver,
} from '../../lib/index.js';
import {
  CHECKPOINTS,
  evaluate,
  restoreTraining,
  train,
  type TrainOptions,
  type TrainStep,
} from '../../lib/train/index.js';
import type { Source } from '../../lib/train/index.js';
import { fakeLoader } from '../support/batches.js';

/** With dropout, whose masks hang on the random state. */
function net(classes = 5): Graph<'data' | 'label', 'loss' | 'accuracy'> {
  return graph({ data: input([3, 8, 8]), label: input([]) }, ({ data, label }) => {
    const conv = relu(conv2d(data, { name: 'conv', filters: 4, kernel: 3 }), { name: 'act' });
    const hidden = dropout(relu(dense(conv, { name: 'hidden', units: 32 })), { ratio: 0.25 });
    const scores = dense(hidden, { name: 'fc', units: classes });
    return { loss: softmaxLoss(scores, label, { name: 'softmax' }), accuracy: accuracy(scores, label) };
  });
}

const momentum = (rate = 0.02, more = {}): Solver =>
  sgd({ rate: rates.step({ base: rate, gamma: 0.5, every: 8 }), momentum: 0.9, weightDecay: 1e-4, ...more });

async function all(model: Model, loader: Source, options: TrainOptions): Promise<TrainStep[]> {
  const steps: TrainStep[] = [];
  for await (const step of train(model, loader, options)) steps.push(step);
  return steps;
}

describe('train', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'cortado-train-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const start = (solver = momentum(), seed = 1): Promise<Model> => compile(net(), { batch: 4, solver, seed });

  it('learns, and says how', async () => {
    await using model = await start(adam({ rate: 0.003 }));
    const steps = await all(model, fakeLoader(), { epochs: 40, averageLoss: 5 });
    assert.equal(steps.length, 200);
    assert.deepEqual(
      steps.map(({ iteration }) => iteration),
      Array.from({ length: 200 }, (_, i) => i + 1),
    );
    assert.equal(steps[4]!.epoch, 1);
    assert.equal(steps.at(-1)!.epoch, 40);
    const mean = (of: readonly TrainStep[]): number => of.reduce((sum, { loss }) => sum + loss, 0) / of.length;
    assert.ok(Math.abs(steps[2]!.averageLoss - mean(steps.slice(0, 3))) < 1e-9);
    assert.ok(Math.abs(steps[20]!.averageLoss - mean(steps.slice(16, 21))) < 1e-9);
    assert.ok(steps.at(-1)!.averageLoss < 0.5 * steps[4]!.averageLoss);
    const last = steps.at(-1)!;
    assert.deepEqual(Object.keys(last.metrics), ['accuracy']);
    assert.equal(last.rate, 0.003);
    assert.ok(last.imagesPerSecond > 0 && last.milliseconds >= last.waited);
  });

  it('gives the same steps as a loop of one’s own', async () => {
    await using model = await start();
    await using other = await start();
    const steps = await all(model, fakeLoader(), { iterations: 10 });
    let i = 0;
    for await (const { images, labels } of fakeLoader()) {
      const { rate } = other;
      const { loss } = await other.step({ data: images, label: labels });
      assert.deepEqual([steps[i]!.loss, steps[i]!.rate], [loss, rate]);
      if (++i === 10) break;
    }
    assert.deepEqual(await model.weights(), await other.weights());
  });

  it('evaluates with shared weights, now and then and at the end, and keeps the best', async () => {
    await using model = await start(adam({ rate: 0.003 }));
    const loader = fakeLoader({ epochs: 1, batch: 3, pictures: 10 });
    const options = {
      evaluation: { loader, every: 10 },
      checkpoint: { prefix: join(folder, 'run'), every: 10, keep: 2 },
    };
    const steps = await all(model, fakeLoader(), { iterations: 35, ...options });
    const evaluated = steps.filter(({ evaluation }) => evaluation);
    assert.deepEqual(
      evaluated.map(({ iteration }) => iteration),
      [10, 20, 30, 35],
    );
    const found = evaluated.map(({ evaluation }) => evaluation!);
    assert.ok(found.every(({ images }) => images === 10));
    assert.deepEqual(Object.keys(found[0]!.metrics), ['loss', 'accuracy']);
    const accuracies = found.map(({ metrics }) => metrics.accuracy!);
    let best = -1;
    for (const { metrics, best: said } of found) {
      assert.equal(said, metrics.accuracy! > best);
      best = Math.max(best, metrics.accuracy!);
    }
    assert.ok(accuracies.at(-1)! > accuracies[0]!);
    assert.deepEqual(await evaluate(model, loader).then(({ metrics }) => metrics), found.at(-1)!.metrics);
    assert.deepEqual(readdirSync(folder).sort(), [
      'run_best.safetensors',
      'run_iter_30.safetensors',
      'run_iter_35.safetensors',
    ]);
    await using again = await start(adam({ rate: 0.003 }), 7);
    const { best: kept } = await restoreTraining(again, join(folder, 'run_best.safetensors'));
    assert.equal(kept!.value, best);
    assert.equal((await evaluate(again, loader)).metrics.accuracy, best);
  });

  it('stops when evaluations do not get better any more', async () => {
    // A rate of 0 learns nothing: the first evaluation stays the best.
    await using model = await start(sgd({ rate: 0 }));
    const evaluation = { loader: fakeLoader({ epochs: 1 }), every: 2, patience: 3 };
    const steps = await all(model, fakeLoader(), { iterations: 100, evaluation });
    assert.equal(steps.length, 8);
    assert.deepEqual(
      steps.flatMap(({ evaluation: found }) => found?.best ?? []),
      [true, false, false, false],
    );
  });

  for (const iterSize of [1, 2]) {
    it(`goes on from a checkpoint to the same bits, with ${iterSize} runs an iteration`, async () => {
      const evaluation = { loader: fakeLoader({ epochs: 1 }), every: 5 };
      const options = { iterations: 21, averageLoss: 6, evaluation };
      await using whole = await start(momentum(0.02, { iterSize }));
      const undisturbed = await all(whole, fakeLoader(), options);
      const prefix = join(folder, 'run');
      await using first = await start(momentum(0.02, { iterSize }));
      const begun: TrainStep[] = [];
      for await (const step of train(first, fakeLoader(), { ...options, checkpoint: { prefix, every: 4 } })) {
        begun.push(step);
        if (step.iteration === 13) break;
      }
      await using second = await start(momentum(0.02, { iterSize }));
      const progress = await restoreTraining(second, `${prefix}_iter_12.safetensors`);
      const resumed = await all(second, fakeLoader({ start: progress.position }), { ...options, progress });
      const plain = ({ iteration, loss, averageLoss, rate, epoch, metrics, evaluation: found }: TrainStep): unknown => [
        [iteration, loss, averageLoss, rate, epoch, metrics],
        [found?.metrics, found?.best],
      ];
      assert.deepEqual([...begun.slice(0, 12), ...resumed].map(plain), undisturbed.map(plain));
      assert.deepEqual(await second.weights(), await whole.weights());
    });
  }

  it('fetches the next batch while a step runs', async () => {
    const asked: number[] = [];
    await using model = await start();
    const steps = train(model, fakeLoader({ onNext: (n) => asked.push(n) }), { iterations: 3 });
    await steps.next();
    assert.deepEqual(asked, [0, 1]);
    await steps.next();
    assert.deepEqual(asked, [0, 1, 2]);
    await steps.next();
    assert.deepEqual(asked, [0, 1, 2], 'none after the last');
    assert.equal((await steps.next()).done, true);
  });

  it('says how long it waited for data', async () => {
    await using model = await start();
    const [, second] = await all(model, fakeLoader({ delay: 40 }), { iterations: 2 });
    assert.ok(second!.waited > 15 && second!.waited <= second!.milliseconds, `${second!.waited}`);
  });

  it('measures activations and gradients when asked to', async () => {
    await using model = await start();
    const steps = await all(model, fakeLoader(), { iterations: 4, statistics: 2 });
    assert.deepEqual(
      steps.map(({ statistics }) => statistics !== undefined),
      [false, true, false, true],
    );
    const { activations, gradients } = steps[1]!.statistics!;
    assert.ok(activations.act!.least === 0 && activations.act!.zeros > 0 && activations.act!.most > 0);
    assert.deepEqual(Object.keys(gradients), await model.weights().then(Object.keys));
    assert.ok(gradients['fc.weight']!.deviation > 0);
    // Looking changes nothing.
    await using other = await start();
    await all(other, fakeLoader(), { iterations: 4 });
    assert.deepEqual(await model.weights(), await other.weights());
  });

  it('names the layer that NaN began in, and makes no update of it', async () => {
    await using model = await start();
    const weights = await model.weights();
    await model.load({ 'hidden.bias': weights['hidden.bias']!.data.fill(NaN) });
    const before = await model.weights();
    const error: unknown = await all(model, fakeLoader(), { iterations: 4 }).catch((reason: unknown) => reason);
    assert.ok(error instanceof DivergedError);
    assert.match(error.where, /^hidden/);
    assert.deepEqual([error.iteration, error.code], [1, 'DIVERGED']);
    assert.match(error.message, /iteration 1: NaN or infinity began in hidden/);
    assert.deepEqual(await model.weights(), before);
    const bad = fakeLoader({ pixel: (label) => (label === 3 ? Infinity : 1) });
    await using other = await start();
    await assert.rejects(all(other, bad, { iterations: 4 }), { where: 'input data', iteration: 1 });
  });

  it('stops when the loss explodes, naming the layer', async () => {
    await using model = await start(sgd({ rate: 1 }));
    const error: unknown = await all(model, fakeLoader(), { iterations: 500 }).catch((reason: unknown) => reason);
    assert.ok(error instanceof DivergedError, String(error));
    assert.ok(error.iteration < 100);
    assert.match(error.message, /conv|hidden|fc/);
  });

  it('ends in good order when told to stop, and at once when cancelled', async () => {
    const stop = new AbortController();
    await using model = await start();
    const steps: TrainStep[] = [];
    const checkpoint = { prefix: join(folder, 'run'), every: 100 };
    for await (const step of train(model, fakeLoader(), { iterations: 50, checkpoint, stop: stop.signal })) {
      steps.push(step);
      if (step.iteration === 7) stop.abort();
    }
    assert.equal(steps.length, 8);
    assert.deepEqual(readdirSync(folder), ['run_iter_8.safetensors']);
    const abort = new AbortController();
    const slow = all(model, fakeLoader({ delay: 10_000 }), { iterations: 50, signal: abort.signal });
    setImmediate(() => abort.abort(new Error('enough')));
    await assert.rejects(slow, /enough/);
  });

  it('writes no last checkpoint where none is wanted, unless it is stopped before its end', async () => {
    const checkpoint = { prefix: join(folder, 'run'), every: 4, atEnd: false };
    await using model = await start();
    for await (const step of train(model, fakeLoader(), { iterations: 6, checkpoint })) assert.ok(step.iteration <= 6);
    assert.deepEqual(readdirSync(folder), ['run_iter_4.safetensors']);
    const stop = AbortSignal.abort();
    for await (const step of train(model, fakeLoader(), { iterations: 50, checkpoint, stop })) {
      assert.equal(step.iteration, 7);
    }
    assert.deepEqual(readdirSync(folder), ['run_iter_4.safetensors', 'run_iter_7.safetensors']);
  });

  it('tells of a checkpoint that cannot be written and goes on', async () => {
    await using model = await start();
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    let room = false;
    const format = {
      ...CHECKPOINTS,
      save: async (...words: Parameters<typeof CHECKPOINTS.save>) => {
        if (!room) throw full;
        return CHECKPOINTS.save(...words);
      },
    };
    const prefix = join(folder, 'run');
    const found: unknown[] = [];
    for await (const step of train(model, fakeLoader(), { iterations: 6, checkpoint: { prefix, every: 2, format } })) {
      if (step.checkpoint) found.push('error' in step.checkpoint ? step.checkpoint.error : step.checkpoint.path);
      room = step.iteration >= 4;
    }
    assert.deepEqual(found, [full, full, `${prefix}_iter_6.safetensors`]);
  });

  it('refuses what cannot be before the first iteration', async () => {
    await using model = await start();
    await using plain = await compile(net(), { batch: 4 });
    const loader = fakeLoader();
    const cases: [Model, Source, TrainOptions, object][] = [
      [plain, loader, { epochs: 1 }, { code: 'USAGE', message: /solver/ }],
      [model, loader, {}, { code: 'USAGE', message: /iterations or epochs/ }],
      [model, loader, { epochs: 1, iterations: 5 }, { code: 'USAGE' }],
      [model, loader, { epochs: NaN }, { code: 'USAGE', message: /epochs/ }],
      [model, loader, { iterations: 1.5 }, { code: 'USAGE', message: /iterations/ }],
      [model, loader, { epochs: 1, averageLoss: 0 }, { code: 'USAGE', message: /averageLoss/ }],
      [model, fakeLoader({ batch: 8 }), { epochs: 1 }, { code: 'USAGE', message: /at most the 4/ }],
      [model, fakeLoader({ classes: 3 }), { epochs: 1 }, { code: 'USAGE', message: /expected the 5 classes.*got 3/ }],
      [model, { ...loader, shape: [3, 9, 9] }, { epochs: 1 }, { code: 'SHAPE', message: /\(3, 8, 8\)/ }],
      [
        model,
        loader,
        { epochs: 1, inputs: { images: 'data', labels: 'labels' } },
        { code: 'GRAPH', message: /labels/ },
      ],
      [
        model,
        loader,
        { epochs: 1, checkpoint: { prefix: join(folder, 'no', 'run') } },
        { code: 'FORMAT', message: /no.run/ },
      ],
      [model, loader, { epochs: 1, checkpoint: { prefix: join(folder, 'run'), keep: 0 } }, { code: 'USAGE' }],
      [model, loader, { epochs: 1, evaluation: { loader, metric: 'bleu' } }, { code: 'USAGE', message: /bleu/ }],
    ];
    const before = await model.weights();
    for (const [of, from, options, error] of cases) await assert.rejects(all(of, from, options), error);
    assert.equal(model.iteration, 0);
    assert.deepEqual(await model.weights(), before);
  });

  it('names the picture whose label is no class, before its step', async () => {
    await using model = await start();
    const loader = fakeLoader({ classes: 9 });
    const unnamed = { ...loader, dataset: { name: 'fake', classes: undefined } };
    await assert.rejects(all(model, unnamed, { epochs: 1 }), {
      code: 'FORMAT',
      message: /picture 5: expected a label from 0 to 4.*got 5/,
    });
    assert.equal(model.iteration, 1);
  });

  it('names an item whose label is no class before the first step, where labels are known without reading', async () => {
    await using model = await start();
    const loader = fakeLoader();
    const known = (labels: number[]): Source => ({
      ...loader,
      dataset: { ...loader.dataset, length: labels.length, label: (index) => labels[index]! },
    });
    const message = /^fake, item 2: expected a label from 0 to 4.*got -3/;
    await assert.rejects(all(model, known([1, 4, -3, 0]), { epochs: 1 }), { code: 'FORMAT', message });
    const evaluation = { loader: known([0, 0, -3]), every: 1 };
    await assert.rejects(all(model, loader, { epochs: 1, evaluation }), { code: 'FORMAT', message });
    assert.equal(model.iteration, 0);
  });

  it('tells when the loader ends too soon, and passes its failure on', async () => {
    await using model = await start();
    await assert.rejects(all(model, fakeLoader({ epochs: 1 }), { iterations: 9 }), {
      code: 'USAGE',
      message: /got fewer/,
    });
    const broken: Source = {
      ...fakeLoader(),
      async *[Symbol.asyncIterator]() {
        yield* [];
        await setTimeout(1);
        throw new CortadoError('FORMAT', 'a broken disk');
      },
    };
    await assert.rejects(all(model, broken, { iterations: 50 }), /a broken disk/);
  });
});
