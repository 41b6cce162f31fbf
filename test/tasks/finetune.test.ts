import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inMemory, writeTensors } from '../../lib/formats/index.js';
import { finetune, loadClassifier, type FinetuneOptions, type FinetuneProgress } from '../../lib/index.js';
import { noise } from '../support/nets.js';
import { colourFolder, writeNet } from '../support/training.js';

describe('finetune', function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), 'cortado-finetune-'));
  const at = (...parts: string[]): string => join(folder, ...parts);
  const net = at('net.prototxt');
  const options: FinetuneOptions = {
    ...{ weights: at('start.safetensors'), mean: '100,110,120', scale: 0.01, optimizer: 'sgd', rate: 0.02 },
    ...{ iterations: 60, evalEvery: 20, workers: 1, threads: 1 },
  };

  before(async () => {
    writeNet(net);
    const shapes = { 'conv.weight': [4, 3, 3, 3], 'conv.bias': [4], 'fc.weight': [3, 144], 'fc.bias': [3] };
    const weights = Object.entries(shapes).map(([name, shape], i) => [name, noise(shape, i, 0.2)] as const);
    await writeTensors(at('start.safetensors'), inMemory(Object.fromEntries(weights)));
    for (const part of ['train', 'val'])
      await colourFolder(at('photos', part), 4, ['black', 'cyan', 'white', 'yellow']);
  });
  after(() => rmSync(folder, { recursive: true }));

  it('makes a classifier of other classes, that is saved and loaded', async () => {
    const told: FinetuneProgress[] = [];
    using classify = await finetune(net, at('photos'), { ...options, onProgress: (progress) => told.push(progress) });
    assert.deepEqual(classify.labels, ['black', 'cyan', 'white', 'yellow']);
    assert.equal(classify.metrics!.accuracy, 1);
    assert.deepEqual(
      told.map(({ iteration, iterations }) => [iteration, iterations]),
      Array.from({ length: 60 }, (_, i) => [i + 1, 60]),
    );
    assert.deepEqual(
      told.filter(({ metrics }) => metrics).map(({ iteration }) => iteration),
      [20, 40, 60],
    );
    const pictures = classify.labels.map((label) => at('photos', 'val', label, '1.png'));
    const answers = await classify(pictures);
    assert.deepEqual(
      answers.map(([best]) => best!.label),
      classify.labels,
    );
    await classify.save(at('colours.safetensors'));
    using again = await loadClassifier(at('colours.safetensors'), { threads: 1 });
    assert.deepEqual(await again(pictures), answers);
    assert.deepEqual(await again.embed(pictures[0]!), await classify.embed(pictures[0]!));
  });

  it('ends by its signal, or by what its listener throws', async () => {
    const reason = new Error('enough');
    const controller = new AbortController();
    const onProgress = ({ iteration }: FinetuneProgress): void => {
      if (iteration === 3) controller.abort(reason);
      assert.ok(iteration <= 3);
    };
    await assert.rejects(finetune(net, at('photos'), { ...options, signal: controller.signal, onProgress }), reason);
    await assert.rejects(finetune(net, at('photos'), { ...options, signal: controller.signal }), reason);
    const thrower = (): void => {
      throw reason;
    };
    await assert.rejects(finetune(net, at('photos'), { ...options, onProgress: thrower }), reason);
  });

  it('says what does not fit, before it begins', async () => {
    const onProgress = (): void => assert.fail('began');
    const cases: [string, string, FinetuneOptions, object][] = [
      ['alexnot', at('photos'), {}, { code: 'USAGE', message: /alexnot/ }],
      ['alexnet', at('photos'), {}, { code: 'USAGE', message: /weights: expected a file to start from/ }],
      [net, at('nowhere'), options, { code: 'FORMAT', message: /nowhere/ }],
      [net, at('photos'), { ...options, epochs: 2 }, { code: 'USAGE', message: /epochs or iterations/ }],
      [
        net,
        at('photos', 'train'),
        { ...options, patience: 2 },
        { code: 'USAGE', message: /patience: expected pictures/ },
      ],
      [net, at('photos'), { ...options, rate: -1 }, { code: 'USAGE' }],
      [net, at('photos'), { ...options, weights: net }, { code: 'FORMAT' }],
    ];
    for (const [name, data, given, expected] of cases)
      await assert.rejects(
        finetune(name, data, { ...given, onProgress }),
        expected,
        `${name} ${JSON.stringify(given)}`,
      );
  });
});
