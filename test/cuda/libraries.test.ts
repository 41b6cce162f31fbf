/** NVIDIA's libraries as the CUDA backend uses them: found, refused, missing, and what each precision does. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  compile,
  graph,
  input,
  conv2d,
  deconv2d,
  dense,
  relu,
  type CortadoError,
  type Model,
  type Tensor,
} from '../../lib/index.js';
import type { Precision } from '../../lib/passes/index.js';
import { typescript } from '../support/cli.js';
import { random } from '../support/ops.js';
import { needsSimulation } from '../support/simulation.js';

const lib = pathToFileURL(join(import.meta.dirname, '..', '..', 'lib', 'index.ts')).href;

/** Odd numbers of channels, two groups, a dilation that cuDNN has no engine for, the transpose, an inner product. */
const net = graph({ x: input([6, 9, 8]) }, ({ x }) => {
  const a = relu(conv2d(x, { name: 'conv', filters: 10, kernel: 3, pad: 1, groups: 2 }));
  const b = relu(conv2d(a, { name: 'wide', filters: 6, kernel: [3, 2], stride: 2 }));
  const c = conv2d(b, { name: 'own', filters: 4, kernel: 2, dilation: 2, groups: 2 });
  const d = deconv2d(c, { name: 'up', filters: 3, kernel: 2, stride: 2 });
  return { y: relu(dense(d, { name: 'ip', units: 7 }), { name: 'y' }) };
});
const BATCH = 3;
const dy = random([BATCH, 7], 5);

interface Answers {
  readonly y: Tensor;
  readonly gradients: Readonly<Record<string, Tensor>>;
}

/** The net's results and gradients on a device; `scale` multiplies the gradient that it starts from. */
async function answers(device: string, precision: Precision, scale = 1): Promise<Answers> {
  await using model = await compile(net, { device, precision, batch: BATCH, seed: 2 });
  const x = random([BATCH, 6, 9, 8], 1).data;
  const from = { y: dy.data.map((v) => v * scale) };
  const of = ['x', ...net.parameters.map(({ name }) => name)];
  const { gradients, outputs } = await model.backward({ x }, { of, from });
  return { y: outputs.y, gradients };
}

/** The largest difference, relative to the largest number. */
function distance(got: Tensor, want: Tensor): number {
  let [worst, most] = [0, 0];
  want.data.forEach((v, i) => {
    worst = Math.max(worst, Math.abs(got.data[i]! - v));
    most = Math.max(most, Math.abs(v));
  });
  return worst / most;
}

/** A small net, and how to run it. */
const SMALL = `
    const net = graph({ x: input([2, 5, 5]) }, ({ x }) => ({ y: dense(conv2d(x, { name: 'conv', filters: 3, kernel: 3 }), { name: 'ip', units: 2 }) }));
    const x = Float32Array.from({ length: 50 }, (_, i) => Math.sin(i));
    const run = async (options) => {
      const model = await compile(net, { device: 'cuda-sim', ...options });
      const { y } = await model.forward({ x });
      model.dispose();
      return [...y.data].join();
    };`;

/** Runs a small program on the simulated GPU in a process of its own. */
function program(body: string, env: NodeJS.ProcessEnv, net = SMALL): { answer: string[]; stderr: string } {
  const code = `
    import { compile, conv2d, dense, graph, input, lrn } from ${JSON.stringify(lib)};
    ${net}
    const say = (work) => work.then((text) => console.log(text), ({ code, message }) => console.log(code + ' ' + message));
    ${body}`;
  const run = spawnSync(process.execPath, [...typescript, '--input-type=module', '-e', code], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  assert.equal(run.status, 0, run.stderr);
  return { answer: run.stdout.trim().split('\n'), stderr: run.stderr };
}

describe('libraries of the GPU', function () {
  this.timeout(600_000);
  before(needsSimulation);

  const bounds: Readonly<Record<Exclude<Precision, 'int8'>, readonly [number, number]>> = {
    float32: [0, 1e-5],
    tf32: [1e-5, 4e-3],
    bfloat16: [1e-4, 4e-2],
    // Gradients are bfloat16 there, and so are the weights that they are multiplied by.
    float16: [1e-5, 8e-3],
  };
  for (const [precision, [least, most]] of Object.entries(bounds) as [Precision, readonly [number, number]][]) {
    it(`compute in ${precision}, forward and backward, as near to the CPU as its digits allow`, async () => {
      const [got, want] = [await answers('cuda-sim', precision), await answers('cpu', 'float32')];
      const errors = [distance(got.y, want.y)];
      for (const [name, gradient] of Object.entries(want.gradients)) {
        const error = distance(got.gradients[name]!, gradient);
        assert.ok(error <= most, `${name}: ${error}`);
        errors.push(error);
      }
      assert.ok(errors[0]! <= most, `y: ${errors[0]}`);
      assert.ok(Math.max(...errors) >= least, 'it does not round at all');
    });
  }

  it('lose no gradient to float16 that is too small or too large for it', async () => {
    for (const scale of [1e-12, 1e12]) {
      const [got, want] = [await answers('cuda-sim', 'float16', scale), await answers('cpu', 'float32', scale)];
      for (const [name, gradient] of Object.entries(want.gradients))
        assert.ok(distance(got.gradients[name]!, gradient) <= 1e-2, `${name} at ${scale}`);
    }
  });

  it('give the same bits twice', async () => {
    for (const precision of ['float32', 'bfloat16', 'float16'] as const) {
      const [first, second] = [await answers('cuda-sim', precision), await answers('cuda-sim', precision)];
      assert.deepEqual(second, first, precision);
    }
  });

  const refusals = [
    ['cublasLtMatmul:13', 'DEVICE', /^.*ip: kernel dense: product in float32 .*\(3, \d+\).*cublasLtMatmul answered 13/],
    [
      'cublasLtMatmul:3',
      'OUT_OF_MEMORY',
      /ip: kernel dense: .* cublasLtMatmul answered 3 \(CUBLAS_STATUS_ALLOC_FAILED/,
    ],
    ['cublasLtMatmulAlgoGetHeuristic:7', 'DEVICE', /ip: kernel dense: .*cublasLtMatmulAlgoGetHeuristic answered 7/],
    [
      'cudnnBackendExecute:5000',
      'DEVICE',
      /conv: kernel conv2d: conv2d in .*\(3, 6, 9, 8\).*cudnnBackendExecute answered 5000/,
    ],
    ['cudnnBackendExecute:4004', 'OUT_OF_MEMORY', /conv: kernel conv2d: .*cudnnBackendExecute answered 4004/],
    [
      'cudnnBackendCreateDescriptor:4000',
      'DEVICE',
      /conv: kernel conv2d: .*cudnnBackendCreateDescriptor answered 4000/,
    ],
  ] as const;
  for (const [answer, code, message] of refusals) {
    it(`pass on ${answer} as ${code} that names layer, call and shapes, and leave the device usable`, async () => {
      // A batch of its own, so that nothing is planned yet.
      const one = graph({ x: input([6, 9, 8]) }, ({ x }) => ({
        y: dense(conv2d(x, { name: 'conv', filters: 3 + refusals.findIndex(([a]) => a === answer), kernel: 3 }), {
          name: 'ip',
          units: 7,
        }),
      }));
      await using model = await compile(one, { device: 'cuda-sim', batch: BATCH });
      const { data } = random([BATCH, 6, 9, 8], 1);
      process.env.CORTADO_SIM_ANSWER = answer;
      try {
        await assert.rejects(model.forward({ x: data }), (error: CortadoError) => {
          assert.equal(error.code, code);
          assert.match(error.message, message);
          return true;
        });
      } finally {
        delete process.env.CORTADO_SIM_ANSWER;
      }
      assert.equal((await model.forward({ x: data })).y.data.length, BATCH * 7);
    });
  }

  const stored: readonly (readonly [Precision, string, RegExp])[] = [
    ['bfloat16', 'cudnnBackendExecute:5000', /first: .*conv2d in bfloat16 \+ bias \+ ReLU of images/],
    ['float16', 'cudnnBackendExecute:5000', /first: .*conv2d in float16 of images/],
    ['bfloat16', 'cublasLtMatmul:13', /product in bfloat16 \+ bias .*, stored in bfloat16/],
    ['float16', 'cublasLtMatmul:13', /product in float16 \+ bias .*, stored in float16/],
  ];
  it('are given what is stored in 16 bits as it is, and epilogues where no scale comes before them', async () => {
    const one = graph({ x: input([3, 9, 8]) }, ({ x }) => {
      const first = relu(conv2d(x, { name: 'first', filters: 8, kernel: 3 }));
      return { y: dense(conv2d(first, { name: 'second', filters: 8, kernel: 3 }), { name: 'ip', units: 7 }) };
    });
    for (const [precision, answer, message] of stored) {
      await using model = await compile(one, { device: 'cuda-sim', precision, batch: 2 });
      process.env.CORTADO_SIM_ANSWER = answer;
      try {
        await assert.rejects(model.forward({ x: random([2, 3, 9, 8], 1).data }), message);
      } finally {
        delete process.env.CORTADO_SIM_ANSWER;
      }
    }
  });

  it('make their plans while the event loop turns, and none for a model that is disposed meanwhile', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cortado-gate-'));
    const gate = join(folder, 'open');
    const slow = async (filters: number, meanwhile: (model: Model) => void): Promise<Tensor> => {
      const one = graph({ x: input([6, 9, 8]) }, ({ x }) => ({ y: conv2d(x, { filters, kernel: 4 }) }));
      await using model = await compile(one, { device: 'cuda-sim' });
      process.env.CORTADO_SIM_WAIT = `cudnnBackendFinalize:${gate}`;
      // Only a turn of the event loop lets the library go on.
      const timer = setTimeout(() => {
        meanwhile(model);
        writeFileSync(gate, '');
      }, 20);
      try {
        return (await model.forward({ x: random([1, 6, 9, 8], 1).data })).y;
      } finally {
        delete process.env.CORTADO_SIM_WAIT;
        clearTimeout(timer);
        rmSync(gate, { force: true });
      }
    };
    try {
      assert.equal((await slow(2, () => undefined)).data.length, 60);
      await assert.rejects(
        slow(3, (model) => model.dispose()),
        { code: 'DISPOSED' },
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('are done without where they are not wanted, too old, or have no engine; precisions with them', () => {
    const [want] = program('await say(run({}));', {}).answer;
    const numbers = (text: string): Tensor => ({ data: Float32Array.from(text.split(',').map(Number)), shape: [2] });
    const body = "await say(run({})); await say(run({ precision: 'tf32' }));";
    for (const env of [
      { CORTADO_CUDNN: 'off', CORTADO_CUBLASLT: 'off' },
      { CORTADO_SIM_ANSWER: 'cudnnGetVersion:89700' },
      { CORTADO_SIM_ANSWER: 'cublasLtGetVersion:110000' },
    ]) {
      const { answer, stderr } = program(body, env);
      assert.ok(distance(numbers(answer[0]!), numbers(want!)) < 1e-6, answer[0]);
      assert.match(answer[1]!, /^USAGE precision: expected float32 on cuda-sim, got tf32/);
      if ('CORTADO_SIM_ANSWER' in env)
        assert.match(stderr, /is version (89700, 90000|110000, 120000) or newer is needed; computing without it/);
    }
    const { answer } = program('await say(run({}));', { CORTADO_SIM_ANSWER: 'cublasLtMatmulAlgoGetHeuristic:15' });
    assert.ok(distance(numbers(answer[0]!), numbers(want!)) < 1e-6, answer[0]);
  });

  it('are not asked for float32 where there is no memory to compare their results with our own', () => {
    // Without a folder to keep choices in, none is made by time.
    const answer = (env: NodeJS.ProcessEnv): string =>
      program('await say(run({}));', { CORTADO_CACHE: '', ...env }).answer[0]!;
    const [theirs, ours] = [answer({}), answer({ CORTADO_CUDNN: 'off' })];
    assert.notEqual(theirs, ours);
    assert.equal(answer({ CORTADO_SIM_ANSWER: 'cudaMalloc:2' }), ours);
  });

  it('keep the plans that are the fastest on this GPU, and do not time them again', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cortado-plans-'));
    const body = "await say(run({ precision: 'tf32' }));";
    const choices = (): string[] => {
      const plans = join(folder, 'plans');
      const texts = readdirSync(plans).map((file) => readFileSync(join(plans, file), 'utf8').split('\n')[2]!);
      return texts.map((text) => /^(simulated )?\d+/.exec(text)![0]).sort();
    };
    const once = (env: NodeJS.ProcessEnv): string => program(body, { CORTADO_CACHE: folder, ...env }).answer[0]!;
    try {
      const fast = once({});
      assert.deepEqual(choices(), ['0', 'simulated 1'], 'what they think best is the fastest too');
      rmSync(folder, { recursive: true });
      // Now the first of the engines is not, and then neither is that of the algorithms.
      const other = once({ CORTADO_SIM_SLOW: 'engine 1' });
      assert.deepEqual(choices(), ['0', 'simulated 3']);
      assert.notEqual(other, fast);
      assert.equal(once({}), other, 'the choice holds when clocks say otherwise');
      rmSync(folder, { recursive: true });
      once({ CORTADO_SIM_SLOW: 'algorithm 0' });
      assert.deepEqual(choices(), ['1', 'simulated 1']);
      // Without a folder to keep it in, nothing is timed.
      assert.equal(once({ CORTADO_CACHE: '', CORTADO_SIM_SLOW: 'engine 1' }), fast);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('convolve groups as a whole, with zeros between them, where that is faster', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cortado-plans-'));
    const body = `
      const net = graph({ x: input([16, 5, 4]) }, ({ x }) => ({
        y: conv2d(x, { name: 'y', filters: 32, kernel: 3, pad: 1, groups: 2 }),
      }));
      const x = Float32Array.from({ length: 640 }, (_, i) => Math.sin(i));
      const from = { y: Float32Array.from({ length: 1280 }, (_, i) => Math.cos(i)) };
      const of = ['x', 'y.weight', 'y.bias'];
      for (const precision of ['bfloat16', 'float16'])
        await say(compile(net, { device: 'cuda-sim', batch: 2, precision }).then(async (model) => {
          const { outputs, gradients } = await model.backward({ x }, { from, of }).finally(() => model.dispose());
          return JSON.stringify([...[outputs.y, ...of.map((name) => gradients[name])].map(({ data }) => [...data])]);
        }));`;
    const once = (env: NodeJS.ProcessEnv): string[] => program(body, { CORTADO_CACHE: folder, ...env }, '').answer;
    try {
      const inGroups = once({});
      rmSync(folder, { recursive: true });
      const whole = once({ CORTADO_SIM_SLOW: 'groups' });
      assert.deepEqual(whole, inGroups);
      // What is chosen shows in the error of a plan that fails.
      const [failed] = once({ CORTADO_SIM_ANSWER: 'cudnnBackendExecute:5000' });
      assert.match(failed!, /y: .*conv2d in bfloat16 .*with filters \(32, 16, 3, 3\).*groups 1/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('normalise where they are faster than our own kernel, as measured once', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cortado-plans-'));
    const body = `
      const net = graph({ x: input([7, 3, 3]) }, ({ x }) => ({ y: lrn(x, { name: 'norm', localSize: 5, alpha: 2 }) }));
      const x = Float32Array.from({ length: 63 }, (_, i) => Math.sin(i));
      const y = async () => {
        const model = await compile(net, { device: 'cuda-sim' });
        return [...(await model.forward({ x }).finally(() => model.dispose())).y.data].join();
      };
      await say(y());
      process.env.CORTADO_SIM_ANSWER = 'cudnnLRNCrossChannelForward:5000';
      await say(y());`;
    const once = (env: NodeJS.ProcessEnv): string[] => program(body, { CORTADO_CACHE: folder, ...env }, '').answer;
    const kept = (): string[] =>
      readdirSync(join(folder, 'plans')).map((file) => readFileSync(join(folder, 'plans', file), 'utf8'));
    const numbers = (text: string): Tensor => ({ data: Float32Array.from(text.split(',').map(Number)), shape: [63] });
    try {
      const [own, again] = once({ CORTADO_SIM_SLOW: 'lrn' });
      assert.match(kept()[0]!, /^cuDNN 92400, simulated GPU, lrn in float32 of .*, own 1\n[\d.e-]+ ms\nown$/);
      assert.equal(again, own, 'the library is not asked');
      assert.deepEqual(once({}), [own, own], 'the choice holds when clocks say otherwise');
      rmSync(folder, { recursive: true });
      const [theirs, refused] = once({});
      assert.match(kept()[0]!, /\nlibrary$/);
      assert.ok(distance(numbers(theirs!), numbers(own!)) < 1e-6, theirs);
      assert.match(refused!, /^DEVICE norm: .*lrn in float32 .*cudnnLRNCrossChannelForward answered 5000/);
      // Where there is no folder to keep a choice, and where cuDNN has none.
      assert.deepEqual(once({ CORTADO_CACHE: '' }), [own, own]);
      rmSync(folder, { recursive: true });
      program(body.replace('alpha: 2', 'alpha: 2, k: 0'), { CORTADO_CACHE: folder }, '');
      assert.ok(!existsSync(folder));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('keep their plans from process to process, and make those again that are damaged', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cortado-plans-'));
    try {
      const once = (): string => program('await say(run({}));', { CORTADO_CACHE: folder }).answer[0]!;
      const want = once();
      const plans = join(folder, 'plans');
      const kept = (): Record<string, string> =>
        Object.fromEntries(readdirSync(plans).map((file) => [file, readFileSync(join(plans, file), 'utf8')]));
      const first = kept();
      const find = (library: RegExp): [string, string] => Object.entries(first).find(([, kept]) => library.test(kept))!;
      const [[file, text], [other, product]] = [find(/^cuDNN /), find(/^cuBLASLt .* product in float32 \+ bias/)];
      assert.match(
        text,
        /^cuDNN 92400, simulated GPU, conv2d in float32 \+ bias of images \(1, 2, 5, 5\).*\n[\d.e-]+ ms\n/,
      );
      assert.match(product, /^cuBLASLt 130000, simulated GPU, product in float32 \+ bias of .*\n[\d.e-]+ ms\n0 /);
      // The engine with tensor cores: its digits show that the plan is that of the file.
      writeFileSync(join(plans, file), text.replace('simulated 3', 'simulated 1'));
      assert.notEqual(once(), want);
      for (const damaged of [`${text.split('\n')[0]!}\nnonsense`, `${text.split('\n')[0]!}\n1 ms\nnonsense`]) {
        writeFileSync(join(plans, file), damaged);
        writeFileSync(join(plans, other), product.replace('ms\n0 ', 'ms\nff '));
        assert.equal(once(), want);
        assert.deepEqual(kept(), first);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
