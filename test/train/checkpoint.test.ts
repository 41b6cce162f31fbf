/** A training that is cut off at any moment goes on from its newest checkpoint to the same bits. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile, dense, graph, input, Random, sgd, softmax, softmaxLoss } from '../../lib/index.js';
import { readSafetensors, writeSafetensors } from '../../lib/formats/safetensors.js';
import {
  listCheckpoints,
  loadCheckpoint,
  progressOf,
  pruneCheckpoints,
  readCheckpoint,
  saveCheckpoint,
} from '../../lib/train/index.js';
import { typescript } from '../support/cli.js';
import { labels, noise, tiny } from '../support/nets.js';
import { sanitized } from '../support/sanitizer.js';
import { colourFolder } from '../support/training.js';

/** How often the training is killed; CORTADO_KILLS=50 is what a release is tested with. */
const KILLS = Number(process.env.CORTADO_KILLS ?? 5);
/** So many that the kills do not reach the end. */
const ITERATIONS = 20 + 30 * KILLS;

const solver = sgd({ rate: 0.05, momentum: 0.9, weightDecay: 1e-4 });
const data = noise([2, 3, 8, 8]);
const label = labels(2, 5);

describe('a checkpoint', function () {
  this.timeout(300_000);
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'cortado-checkpoint-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('carries weights, history, rate and notes', async () => {
    await using model = await compile(tiny(), { batch: 2, solver });
    await model.step({ data, label });
    model.rate = 0.03;
    const path = await saveCheckpoint(model, join(folder, 'run'), { position: '2' });
    assert.equal(path, join(folder, 'run_iter_1.safetensors'));
    await using other = await compile(tiny(), { batch: 2, solver, seed: 9 });
    assert.deepEqual(await loadCheckpoint(other, path), { position: '2' });
    assert.deepEqual(await other.weights(), await model.weights());
    assert.deepEqual(await other.solverState(), await model.solverState());
    assert.equal(other.rate, 0.03);
  });

  it('is refused by another net or when it is none, before anything is changed', async () => {
    await using model = await compile(tiny(), { batch: 2, solver });
    const path = await saveCheckpoint(model, join(folder, 'run'));
    const wider = graph({ data: input([3, 8, 8]), label: input([]) }, ({ data, label }) => {
      const fc = dense(data, { name: 'fc', units: 7 });
      return { prob: softmax(fc), loss: softmaxLoss(fc, label) };
    });
    await using other = await compile(wider, { batch: 2, solver });
    const before = await other.weights();
    await assert.rejects(loadCheckpoint(other, path), { code: 'FORMAT', message: /fc.weight.*another net/ });
    assert.deepEqual(await other.weights(), before);
    const plain = join(folder, 'plain.safetensors');
    await writeSafetensors(plain, { tensors: {}, metadata: {} });
    await assert.rejects(loadCheckpoint(model, plain), { code: 'FORMAT', message: /expected a checkpoint/ });
    const { tensors, metadata } = await readSafetensors(path);
    await writeSafetensors(plain, { tensors, metadata: { ...metadata, solver: '{"iteration":-3}' } });
    await assert.rejects(loadCheckpoint(model, plain), { code: 'USAGE', message: /iteration/ });
    await writeSafetensors(plain, { tensors, metadata: { ...metadata, solver: '{' } });
    await assert.rejects(loadCheckpoint(model, plain), { code: 'FORMAT' });
  });

  it('is listed by its iteration, the newest first, and pruned with what was left unfinished', async () => {
    const prefix = join(folder, 'run');
    for (const n of [2, 10, 9, 100]) writeFileSync(`${prefix}_iter_${n}.safetensors`, '');
    writeFileSync(join(folder, 'run_iter_7.safetensors.123.part'), '');
    writeFileSync(join(folder, 'other_iter_1.safetensors'), '');
    await pruneCheckpoints(prefix, 2);
    assert.deepEqual(await listCheckpoints(prefix), [
      `${prefix}_iter_100.safetensors`,
      `${prefix}_iter_10.safetensors`,
    ]);
    assert.deepEqual(readdirSync(folder).sort(), [
      'other_iter_1.safetensors',
      'run_iter_10.safetensors',
      'run_iter_100.safetensors',
    ]);
  });

  it('leaves nothing behind when it cannot be written', async () => {
    await using model = await compile(tiny(), { batch: 2, solver });
    await assert.rejects(saveCheckpoint(model, join(folder, 'none', 'run')), { code: 'ENOENT' });
    await model.step({ data, label });
    assert.deepEqual(readdirSync(folder), []);
  });

  it(`lets a training that is killed ${KILLS} times end with the same bits`, async function () {
    if (sanitized || process.platform === 'win32') this.skip();
    this.timeout(30 * 60_000);
    await colourFolder(join(folder, 'photos'));
    const undisturbed = join(folder, 'whole');
    await run(undisturbed, Infinity);
    const prefix = join(folder, 'killed');
    const random = new Random(1);
    for (let i = 0; i < KILLS; i++) {
      await run(prefix, random.uniform(0, 60));
      // Whatever moment it was: what is there is whole.
      for (const path of await listCheckpoints(prefix)) progressOf((await readCheckpoint(path)).notes);
    }
    const [newest] = await listCheckpoints(prefix);
    const { iteration } = newest === undefined ? { iteration: 0 } : (await readCheckpoint(newest)).state;
    assert.ok(iteration < ITERATIONS, 'every kill came before the end');
    await run(prefix, Infinity);
    const last = (of: string): Buffer => readFileSync(`${of}_iter_${ITERATIONS}.safetensors`);
    assert.deepEqual(last(prefix), last(undisturbed));
  });

  /** Trains until the end, or is killed so many milliseconds after it has begun to train. */
  function run(prefix: string, milliseconds: number): Promise<void> {
    const script = join(import.meta.dirname, '..', 'support', 'killed.ts');
    const words = [script, prefix, join(folder, 'photos'), String(ITERATIONS)];
    const child = spawn(process.execPath, [...typescript, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
    const kill = (): void => void child.kill('SIGKILL');
    if (milliseconds !== Infinity) child.stdout.once('data', () => setTimeout(kill, milliseconds));
    return new Promise((resolve, reject) => {
      child.on('close', (code, signal) => {
        if (code === 0 || signal === 'SIGKILL') resolve();
        else reject(new Error(`exit code ${code}`));
      });
    });
  }
});
