// What a call costs where there is little to compute: npm run bench:overhead -- --threads 1
//
// Small nets at batch 1, call after call, each awaited, beside onnxruntime-node where it is installed. It runs what
// `npm run build:ts` has made, as an application does; tsx adds calls of its own to TypeScript that it runs.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { compile, conv2d, dense, graph, input, maxPool, relu, sgd, softmax, softmaxLoss } from 'cortado';
import { writeOnnx } from 'cortado/onnx';

const { threads, rounds } = new Command('bench:overhead')
  .description(
    'Times calls of small nets, beside onnxruntime-node where it is installed (npm install --no-save --ignore-scripts).',
  )
  .option('--threads <n>', 'of each library', Number, 1)
  .option('--rounds <n>', 'blocks of calls of each', Number, 15)
  .parse()
  .opts();
const [WARM_UP, CALLS] = [3000, 1000];

const perceptron = graph(
  { data: input([784]) },
  ({ data }) => ({ prob: softmax(dense(relu(dense(data, { units: 128 })), { units: 10 })) }),
  { name: 'perceptron' },
);
const lenet = graph(
  { data: input([1, 28, 28]) },
  ({ data }) => {
    const block = (x, filters) => maxPool(conv2d(x, { filters, kernel: 5 }), { kernel: 2, stride: 2 });
    return { prob: softmax(dense(relu(dense(block(block(data, 20), 50), { units: 500 })), { units: 10 })) };
  },
  { name: 'LeNet' },
);
const trained = graph(
  { data: input([784]), label: input([]) },
  ({ data, label }) => ({ loss: softmaxLoss(dense(relu(dense(data, { units: 128 })), { units: 10 }), label) }),
  { name: 'perceptron' },
);

/** onnxruntime-node, or undefined. It may be installed or not: nobody else needs it. */
const onnxruntime = await import('onnxruntime-node').then(
  (module) => module.default,
  (error) => {
    if (error.code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  },
);

/** Microseconds that the main thread has been on a core; Linux counts them. */
function ownTime() {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1000;
  } catch {
    return NaN;
  }
}

/** Calls of each, block by block in turn, so that all have the same of what else the machine does. */
async function inTurn(name, calls) {
  const blocks = calls.map(() => []);
  for (const { call } of calls) for (let i = 0; i < WARM_UP; i++) await call();
  for (let round = 0; round < rounds; round++) {
    for (const [i, { call }] of calls.entries()) {
      const [start, own] = [performance.now(), ownTime()];
      for (let n = 0; n < CALLS; n++) await call();
      blocks[i].push({ call: (1000 * (performance.now() - start)) / CALLS, own: (ownTime() - own) / CALLS });
    }
  }
  for (const [i, { library }] of calls.entries())
    console.log(
      `${name.padEnd(22)}${library.padEnd(26)}${shown(blocks[i].map(({ call }) => call))}   main thread ${shown(blocks[i].map(({ own }) => own))}`,
    );
}

/** Median and least. */
function shown(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const [middle, least] = [sorted[sorted.length >> 1], sorted[0]];
  return `${middle.toFixed(1).padStart(7)} (${least.toFixed(1)})`;
}

async function inference(net, folder) {
  const model = await compile(net, { batch: 1, threads });
  const shape = net.inputs.data.shape;
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i));
  const calls = [{ library: 'cortado', call: () => model.forward({ data }) }];
  if (onnxruntime) {
    const path = join(folder, `${net.name}.onnx`);
    await writeOnnx(path, net, await model.weights());
    const session = await onnxruntime.InferenceSession.create(path, { intraOpNumThreads: threads });
    const feeds = { data: new onnxruntime.Tensor('float32', data, [1, ...shape.slice(1)]) };
    check(await model.forward({ data }), await session.run(feeds));
    calls.push({ library: `onnxruntime-node ${onnxruntime.env.versions.node}`, call: () => session.run(feeds) });
  }
  await inTurn(`${net.name}, forward`, calls);
  model.dispose();
}

/** Both have computed the same. */
function check(ours, theirs) {
  const [a, b] = [ours.prob.data, theirs.prob.data];
  if (!a.every((v, i) => Math.abs(v - b[i]) < 1e-5)) throw new Error(`expected the same numbers, got ${a} and ${b}`);
}

async function training() {
  const model = await compile(trained, { batch: 1, threads, solver: sgd({ rate: 0.001 }) });
  const inputs = { data: Float32Array.from({ length: 784 }, (_, i) => Math.sin(i)), label: [3] };
  await inTurn('perceptron, step', [{ library: 'cortado', call: () => model.step(inputs) }]);
  model.dispose();
}

console.log(`µs a call, median of ${rounds} blocks of ${CALLS} calls (least); ${threads} thread(s)`);
const folder = mkdtempSync(join(tmpdir(), 'cortado-overhead-'));
try {
  for (const net of [perceptron, lenet]) await inference(net, folder);
  await training();
} finally {
  rmSync(folder, { recursive: true });
}
