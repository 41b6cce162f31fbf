/**
 * Times AlexNet on a GPU, kernel by kernel and as a whole, and what is bound by memory alone, beside ceilings measured in
 * the same run and beside PyTorch where Python has it: npm run bench:gpu -- --out FOLDER. Whole nets come before kernels,
 * and what PyTorch has to compile, a minute each, comes last. It stops taking up new cases when its minutes are over, and says
 * which it has left out; what it has by then is in the folder, whatever ends it.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { openDevice } from '../lib/device.js';
import { CortadoError } from '../lib/errors.js';
import { alexnet, compile, dense, graph, input } from '../lib/index.js';
import { allocate, info, prepare } from '../lib/native.js';
import type { Precision } from '../lib/passes/index.js';
import { benchCase, ELEMENTWISE, kernelCases, named, type KernelRow, type NamedCase } from './kernels.js';
import { benchNet, type NetRow } from './nets.js';
import { benchPeers, PEERS } from './peers.js';
import { formatGpuNets, formatKernels } from './report.js';
import { noise } from './timing.js';
import { benchUpdate } from './update.js';

interface Options {
  readonly device: string;
  readonly out: string;
  readonly batch: string;
  readonly seconds: string;
  readonly minutes: string;
  readonly size: string;
  readonly parameters: string;
  readonly filter: string;
  readonly peers?: string;
}

/** The most that the GPU was seen to do in this run. */
interface Ceiling {
  readonly precision: Precision;
  /** Of a product of three times `size`. */
  readonly gflops: number;
  /** Of a copy, both ways counted. */
  readonly gbps: number;
}

const options = new Command('bench:gpu')
  .description('Times AlexNet on a GPU, and writes gpu.json and gpu.txt into a folder.')
  .requiredOption('--out <folder>', 'where the report goes')
  .option('--device <name>', 'cuda, cuda:1, cuda-sim', 'cuda')
  .option('--batch <list>', 'batch sizes', '1,128,256')
  .option('--seconds <n>', 'time for each case', '1')
  .option('--minutes <n>', 'after which no new case is begun', '7')
  .option('--size <n>', 'extents of the large product and of the copy', '8192')
  .option('--parameters <n>', 'that the solver updates', '60965224')
  .option(
    '--filter <regex>',
    'only cases that match, such as float32/kernel/conv, bfloat16/bvlc/train or peers/eager',
    '.',
  )
  .option(
    '--peers <regex>',
    'only cases of PyTorch that match, such as bf16/bvlc/train/b128$ (default: of the same batches)',
  )
  .parse()
  .opts<Options>();

/** Those that tell most come first: the minutes may be over before the last. */
const ORDER: readonly Precision[] = ['bfloat16', 'float32', 'tf32', 'float16'];

const seconds = Number(options.seconds);
const filter = new RegExp(options.filter);
const batches = options.batch.split(',').map(Number);
const end = performance.now() + Number(options.minutes) * 60_000;
const skipped: string[] = [];

/** What has been measured so far. */
const kernels: (KernelRow & { readonly precision: Precision })[] = [];
const nets: NetRow[] = [];
const ceilings: Ceiling[] = [];

const device = await openDevice(options.device);
mkdirSync(options.out, { recursive: true });
save(false);
await main();
console.log(save(true));

async function main(): Promise<void> {
  const gbps = await copyRate(Number(options.size));
  for (const precision of ORDER.filter((one) => device.precisions.includes(one))) {
    const ceiling = { precision, gflops: await productRate(Number(options.size), precision), gbps };
    ceilings.push(ceiling);
    for (const batch of batches) await timeNets(batch, precision);
  }
  await timePeers('eager');
  for (const ceiling of ceilings) {
    const { precision } = ceiling;
    // Only products tell precisions apart: other kernels are timed once.
    const products = /^kernel\/(conv|fc|gemm)/;
    const cases = kernelCases([batches.at(-1)!]).filter(({ name }) => precision === 'float32' || products.test(name));
    await timeKernels(cases, ceiling);
    if (precision !== 'float32') continue;
    // What is bound by memory in every precision.
    await timeKernels(named(ELEMENTWISE, batches.at(-1)!), ceiling);
    await take('float32/kernel/update', async () => {
      const row = await benchUpdate(device.native, ceiling, seconds, Number(options.parameters));
      kernels.push({ ...row, precision });
    });
  }
  for (const variant of ['compile.*bf16', 'compile(?!.*bf16)']) await timePeers(variant);
}

/**
 * Times a case that is wanted and begun in time. What there is by then is in the files before the next case begins, and a
 * case that fails is a line of the report.
 */
async function take(name: string, work: () => Promise<void>): Promise<void> {
  if (!filter.test(name)) return;
  if (performance.now() >= end) skipped.push(`${name}: the time was over`);
  else
    await work().catch((error: unknown) => {
      if (!(error instanceof CortadoError)) throw error;
      skipped.push(`${name}: ${error.code}, ${error.message}`);
    });
  save(false);
}

/** Writes the report; returns it as text. `finished` is false until nothing is left to time. */
function save(finished: boolean): string {
  const libraries = device.native?.libraries ?? [];
  const report = {
    date: new Date().toISOString(),
    node: process.version,
    device: device.name,
    finished,
    libraries,
    ceilings,
    kernels,
    nets,
    skipped,
  };
  writeFileSync(join(options.out, 'gpu.json'), `${JSON.stringify(report, null, 2)}\n`);
  const text = [
    `${device.name}; ${libraries.map(({ name, version, problem }) => `${name} ${problem || version}`).join(', ')}`,
    ...ceilings.map(
      (c) => `ceiling in ${c.precision}: ${(c.gflops / 1000).toFixed(2)} TFLOP/s, ${c.gbps.toFixed(1)} GB/s`,
    ),
    ...device.precisions
      .map((precision) => [precision, kernels.filter((row) => row.precision === precision)] as const)
      .filter(([, rows]) => rows.length > 0)
      .map(([precision, rows]) => `\n${precision}\n${formatKernels(rows)}`),
    ...(nets.length > 0 ? [`\n${formatGpuNets(nets)}`] : []),
    ...skipped.map((line) => `left out: ${line}`),
    ...(finished ? [] : ['cut off here']),
  ].join('\n');
  writeFileSync(join(options.out, 'gpu.txt'), `${text}\n`);
  return text;
}

async function timeKernels(cases: readonly NamedCase[], ceiling: Ceiling): Promise<void> {
  const { precision } = ceiling;
  for (const { name, one, batch } of cases)
    await take(`${precision}/${name}`, async () => {
      const rows = await benchCase(one, batch, ceiling, seconds, { device: options.device, precision });
      kernels.push(...rows.map((row) => ({ ...row, precision })));
    });
}

async function timeNets(batch: number, precision: Precision): Promise<void> {
  for (const train of batch === 1 ? [false] : [false, true]) {
    const work = train ? 'bvlc/train' : 'bvlc/infer';
    // Peers are timed with inputs on the device.
    for (const inputs of ['device', 'ahead', 'arrays'] as const)
      await take(`${precision}/${work}/b${batch}/${inputs}`, async () => {
        const load = { work, batch, net: alexnet, train, precision, inputs };
        nets.push(await benchNet(load, seconds, undefined, options.device));
      });
  }
}

/** Times PyTorch, those cases whose name goes on with `variant` after its version and device. */
async function timePeers(variant: string): Promise<void> {
  if (options.device === 'cuda-sim') return;
  const wanted = options.peers ?? `torch.*/bvlc/(infer|train)/b(${batches.join('|')})$`;
  await take(`peers/${variant}`, async () => {
    const left = AbortSignal.timeout(Math.ceil(end - performance.now()));
    const cases = `^(?=.*:${variant})(?=.*(?:${wanted}))`;
    const { rows, skipped: lines } = await benchPeers(PEERS, cases, seconds, info().threads, 'cuda', left);
    nets.push(...rows);
    skipped.push(...lines.filter((line) => !skipped.includes(line)));
  });
}

/** GB/s of a copy of size² numbers, the best of some. */
async function copyRate(size: number): Promise<number> {
  const bytes = 4 * size * size;
  const memory = allocate(2 * bytes, (await openDevice(options.device)).native);
  const shape = [size, size];
  const plan = await prepare({
    memories: [memory],
    tensors: [0, bytes].map((offset) => ({ memory: 0, offset, shape, dtype: 'f32' as const })),
    steps: [
      { kernel: 'fill', label: 'touch', inputs: [], outputs: [0], attributes: { value: 1 } },
      { kernel: 'probe_copy', label: 'copy', inputs: [0], outputs: [1], attributes: {} },
    ],
    threads: 1,
  });
  try {
    let best = Infinity;
    for (let i = 0; i < 5; i++) best = Math.min(best, (await plan.run([], true))!.milliseconds![1]!);
    return (2 * bytes) / best / 1e6;
  } finally {
    plan.dispose();
    memory.dispose();
  }
}

/** GFLOP/s of a product of size³, the best of some. It takes the result of another one: as it is stored in that precision. */
async function productRate(size: number, precision: Precision): Promise<number> {
  const net = graph({ x: input([size]) }, ({ x }) => {
    const before = dense(x, { name: 'before', units: size, bias: false });
    return { y: dense(before, { name: 'product', units: size, bias: false }) };
  });
  await using model = await compile(net, { batch: size, device: options.device, precision });
  const x = noise(size * size);
  let best = Infinity;
  for (let i = 0; i < 5; i++)
    for (const { label, milliseconds } of await model.profile({ x }, { fetch: ['product'] }))
      if (label === 'product') best = Math.min(best, milliseconds);
  return (2 * size ** 3) / best / 1e6;
}
