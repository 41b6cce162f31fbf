/** What belongs to the GPU's host code: memory, order of threads, graphs, several models, the end of the process. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compile, Random, sgd, type Model } from '../../lib/index.js';
import type { Precision } from '../../lib/passes/index.js';
import { typescript } from '../support/cli.js';
import { tiny } from '../support/nets.js';
import { needsSimulation } from '../support/simulation.js';

const lib = pathToFileURL(join(import.meta.dirname, '..', '..', 'lib', 'index.ts')).href;

/** A net with most of what a GPU does in a step: convolution, LRN, pooling, dropout, loss, clipping, momentum. */
const NET = `
  import { compile, conv2d, dense, dropout, graph, input, lrn, maxPool, relu, sgd, softmaxLoss } from ${JSON.stringify(lib)};
  const net = graph({ data: input([3, 12, 12]), label: input([]) }, ({ data, label }) => {
    const a = maxPool(lrn(relu(conv2d(data, { name: 'conv', filters: 8, kernel: 3 })), { localSize: 5 }), { kernel: 3, stride: 2 });
    const scores = dense(dropout(a, { ratio: 0.3 }), { name: 'ip', units: 5 });
    return { loss: softmaxLoss(scores, label) };
  });
  const inputs = (batch) => ({
    data: Float32Array.from({ length: batch * 432 }, (_, i) => Math.sin(i * 0.37)),
    label: Float32Array.from({ length: batch }, (_, i) => i % 5),
  });`;

interface Outcome {
  readonly code: number | null;
  readonly stderr: string;
  readonly answer: string[];
}

/** Runs a program with that net in a process of its own. */
function program(body: string, env: NodeJS.ProcessEnv = {}): Outcome {
  const code = `${NET}\n${body}`;
  const run = spawnSync(process.execPath, [...typescript, '--input-type=module', '-e', code], {
    encoding: 'utf8',
    env: { ...process.env, CORTADO_DEVICE: 'cuda-sim', ...env },
  });
  return { code: run.status, stderr: run.stderr, answer: run.stdout.trim().split('\n') };
}

/** Trains for three steps and prints the losses and a digest of the weights. */
const trained = (precision: Precision): string => `
  import { createHash } from 'node:crypto';
  const model = await compile(net, { precision: '${precision}', batch: 4, seed: 3, solver: sgd({ rate: 0.05, momentum: 0.9, clip: 1 }) });
  for (let i = 0; i < 3; i++) console.log((await model.step(inputs(4))).loss);
  const digest = createHash('sha256');
  for (const { data } of Object.values(await model.weights())) digest.update(data);
  console.log(digest.digest('hex'));
  model.dispose();`;
const TRAIN = trained('float32');

describe('the simulated GPU', function () {
  this.timeout(120_000);
  before(needsSimulation);

  it('trains to the same bits every time, in whatever order the threads of a block run', () => {
    for (const precision of ['float32', 'bfloat16', 'float16'] as const) {
      const first = program(trained(precision));
      assert.equal(first.code, 0, first.stderr);
      assert.equal(first.answer.length, 4);
      assert.deepEqual(program(trained(precision)).answer, first.answer);
      assert.deepEqual(program(trained(precision), { CORTADO_SIM_ORDER: 'reverse' }).answer, first.answer);
    }
  });

  it('trains as the CPU does', () => {
    const [gpu, cpu] = ['cuda-sim', 'cpu'].map((device) => program(TRAIN, { CORTADO_DEVICE: device }).answer);
    for (let i = 0; i < 3; i++) assert.ok(Math.abs(Number(gpu![i]) - Number(cpu![i])) < 1e-5, `${gpu![i]} ${cpu![i]}`);
  });

  it('shows a profiler a range for every layer and pass, and computes the same', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cortado-ranges-'));
    try {
      const file = join(folder, 'ranges');
      assert.deepEqual(program(TRAIN, { NVTX_INJECTION64_PATH: file }).answer, program(TRAIN).answer);
      const lines = readFileSync(file, 'utf8').trim().split('\n');
      let [depth, runs] = [0, 0];
      const names = new Set<string>();
      for (const line of lines) {
        if (line === 'begin run') assert.equal(depth, 0);
        if (line === 'begin run') runs++;
        else if (line !== 'end') names.add(line.slice('begin '.length));
        depth += line === 'end' ? -1 : 1;
        assert.ok(depth >= 0 && depth <= 2, line);
      }
      assert.equal(depth, 0);
      assert.ok(runs >= 3, `${runs} runs`);
      for (const name of ['conv', 'conv.wgrad', 'ip', 'ip.dgrad', 'ip.wgrad', 'sgd']) assert.ok(names.has(name), name);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('frees all that it takes', () => {
    const { code, stderr } = program(TRAIN, { CORTADO_SIM_LEAKS: '1' });
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /never freed/);
  });

  it('leaves a model usable when its memory does not do for a batch', () => {
    const { code, stderr, answer } = program(
      `const model = await compile(net, { batch: 512, device: 'cuda-sim' });
      const error = await model.forward(inputs(512)).catch((e) => e);
      console.log(error.code);
      console.log((await model.forward(inputs(2))).loss.data.length);
      model.dispose();`,
      { CORTADO_SIM_MEMORY: String(1 << 20) },
    );
    assert.equal(code, 0, stderr);
    assert.deepEqual(answer, ['OUT_OF_MEMORY', '1']);
  });

  it('runs several models at once', async () => {
    const models = await Promise.all([1, 2, 3].map((seed) => compile(tiny(), { device: 'cuda-sim', seed })));
    const alone = await Promise.all([1, 2, 3].map((seed) => compile(tiny(), { device: 'cpu', seed })));
    const digest = async (model: Model): Promise<string> => {
      const hash = createHash('sha256');
      for (const { data } of Object.values(await model.weights())) hash.update(data);
      return hash.digest('hex');
    };
    const [got, want] = [await Promise.all(models.map(digest)), await Promise.all(alone.map(digest))];
    assert.deepEqual(got, want, 'the same first weights as on the CPU');
    for (const model of [...models, ...alone]) model.dispose();
  });

  it('times every step of a run', async () => {
    await using model = await compile(tiny(), { device: 'cuda-sim', solver: sgd({ rate: 0.01 }) });
    const source = new Random(1);
    const inputs = Object.fromEntries(
      Object.entries(model.graph.inputs).map(([name, { shape }]) => [
        name,
        Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => source.below(2)),
      ]),
    );
    const times = await model.profile(inputs, { of: ['fc.weight'] });
    assert.ok(times.length > 1);
    for (const { label, milliseconds } of times) assert.ok(milliseconds >= 0, label);
  });
});
