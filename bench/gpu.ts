/**
 * Times AlexNet on a GPU, kernel by kernel and as a whole, and what is bound by memory alone, beside ceilings measured in
 * the same run and beside PyTorch where Python has it: npm run bench:gpu -- --out FOLDER. First come whole nets that find their
 * inputs on the GPU, then PyTorch, which compiles what it can in the time that it has, then kernels, then the rest. It stops
 * taking up new cases when its minutes are over, and says which it has left out; what it has by then is in the folder,
 * whatever ends it.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { openDevice } from '../lib/device.js';
import { CortadoError } from '../lib/errors.js';
import { alexnet } from '../lib/index.js';
import { info } from '../lib/native.js';
import type { Precision } from '../lib/passes/index.js';
import { copyRate, productRate, type Ceiling } from './ceilings.js';
import { benchCase, ELEMENTWISE, kernelCases, named, type KernelRow, type NamedCase } from './kernels.js';
import { benchNet, type InputsOf, type NetRow } from './nets.js';
import { formatGpuNets, formatKernels } from './report.js';
import { COMPILED, EAGER, timeTorch, warmTorch, type Missed, type TorchGroup } from './torch.js';
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
    'only cases that match, such as float32/kernel/conv, bfloat16/bvlc/train or peers/eager.*train',
    '.',
  )
  .option(
    '--peers <regex>',
    'only cases of PyTorch that match, such as :compile.*bf16/bvlc/train/b128$ (default: of the same batches)',
  )
  .parse()
  .opts<Options>();

/** Those that tell most come first: the minutes may be over before the last. */
const FIRST: readonly Precision[] = ['bfloat16', 'float32', 'tf32'];
const LAST: readonly Precision[] = ['float16'];
/** Of the minutes: when PyTorch has had its share, and kernels have the rest. */
const PEERS_END = 0.85;
/** Of what is left for PyTorch when it begins to compile: what it may compile for, before it is timed. */
const WARM_UP = 0.5;

const seconds = Number(options.seconds);
const filter = new RegExp(options.filter);
const batches = options.batch.split(',').map(Number);
const all = Number(options.minutes) * 60_000;
const end = performance.now() + all;
const peersEnd = end - (1 - PEERS_END) * all;
const skipped: string[] = [];
/** On the simulated GPU, all is but a rehearsal. */
const peersDevice = options.device === 'cuda-sim' ? 'cpu' : options.device;

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
  const gbps = await copyRate(Number(options.size), options.device);
  const begin = async (precision: Precision): Promise<Ceiling> => {
    const ceiling = { precision, gflops: await productRate(Number(options.size), precision, options.device), gbps };
    ceilings.push(ceiling);
    // As PyTorch is timed.
    await timeNets(precision, ['device']);
    return ceiling;
  };
  const has = (one: Precision): boolean => device.precisions.includes(one);
  const first: Ceiling[] = [];
  for (const precision of FIRST.filter(has)) first.push(await begin(precision));
  await timePeers();
  for (const ceiling of first) await timePrecision(ceiling);
  for (const precision of LAST.filter(has)) await timePrecision(await begin(precision));
  for (const { precision } of ceilings) await timeNets(precision, ['ahead', 'arrays']);
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

/** All kernels in float32, in other precisions those that differ. */
async function timePrecision(ceiling: Ceiling): Promise<void> {
  const { precision } = ceiling;
  // Only products tell precisions apart: other kernels are timed once.
  const products = /^kernel\/(conv|fc|gemm)/;
  const cases = kernelCases([batches.at(-1)!]).filter(({ name }) => precision === 'float32' || products.test(name));
  await timeKernels(cases, ceiling);
  if (precision !== 'float32') return;
  // What is bound by memory in every precision.
  await timeKernels(named(ELEMENTWISE, batches.at(-1)!), ceiling);
  await take('float32/kernel/update', async () => {
    const row = await benchUpdate(device.native, ceiling, seconds, Number(options.parameters));
    kernels.push({ ...row, precision });
  });
}

async function timeKernels(cases: readonly NamedCase[], ceiling: Ceiling): Promise<void> {
  const { precision } = ceiling;
  for (const { name, one, batch } of cases)
    await take(`${precision}/${name}`, async () => {
      const rows = await benchCase(one, batch, ceiling, seconds, { device: options.device, precision });
      kernels.push(...rows.map((row) => ({ ...row, precision })));
    });
}

async function timeNets(precision: Precision, places: readonly InputsOf[]): Promise<void> {
  for (const batch of batches)
    for (const train of batch === 1 ? [false] : [false, true]) {
      const work = train ? 'bvlc/train' : 'bvlc/infer';
      for (const inputs of places)
        await take(`${precision}/${work}/b${batch}/${inputs}`, async () => {
          const load = { work, batch, net: alexnet, train, precision, inputs };
          nets.push(await benchNet(load, seconds, undefined, options.device));
        });
    }
}

/** Times PyTorch as it is, then what it has compiled before that, side by side, while nothing was timed. */
async function timePeers(): Promise<void> {
  const name = new RegExp(options.peers ?? `/b(${batches.join('|')})$`);
  const wanted = (groups: readonly TorchGroup[]): readonly TorchGroup[] =>
    groups.map((group) => group.filter((one) => filter.test(`peers/${one.name}`) && name.test(`:${one.name}`)));
  await timeGroups(wanted(EAGER));
  const compiled = wanted(COMPILED);
  const cores = availableParallelism();
  // A process compiles on several threads now and then, and otherwise computes on one.
  const env = { TORCHINDUCTOR_COMPILE_THREADS: `${Math.ceil(cores / 2)}` };
  const signal = within(WARM_UP * (peersEnd - performance.now()));
  const settings = { device: peersDevice, env };
  const { warm, missed } = await warmTorch(compiled.flat(), Math.ceil(cores / 3), info().threads, signal, settings);
  leaveOut(missed);
  await timeGroups(compiled.map((group) => group.filter((one) => warm.has(one))));
}

async function timeGroups(groups: readonly TorchGroup[]): Promise<void> {
  for (const group of groups.filter(({ length }) => length > 0)) {
    const settings = { device: peersDevice, signal: within(peersEnd - performance.now()) };
    const { rows, missed } = await timeTorch(group, seconds, info().threads, settings);
    nets.push(...rows);
    leaveOut(missed);
  }
}

/** A line for each reason. */
function leaveOut(missed: readonly Missed[]): void {
  for (const reason of new Set(missed.map(({ why }) => why))) {
    const names = missed.filter(({ why }) => why === reason).map(({ name }) => name);
    skipped.push(`peers/${names.join(', ')}: ${reason}`);
  }
  save(false);
}

function within(milliseconds: number): AbortSignal {
  return AbortSignal.timeout(Math.max(0, Math.ceil(milliseconds)));
}
