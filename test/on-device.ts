/**
 * Runs the tests of kernels, layers, nets, solvers and models on a device:
 * tsx test/on-device.ts cuda-sim [--sanitize[=memcheck|racecheck]] [folder | folder/name…]
 * They are the tests of the CPU; CORTADO_DEVICE tells them where to run. On a GPU those that must have it for themselves come
 * first, then the others, as many files at once as there are cores. --sanitize runs all of them, one by one, under NVIDIA's
 * compute-sanitizer, for accesses out of bounds and for races.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { globSync } from 'tinyglobby';
import { openDevice } from '../lib/device.js';
import { CortadoError } from '../lib/errors.js';

const [device = 'cuda', ...words] = process.argv.slice(2);
const named = words.filter((word) => !word.startsWith('--'));

/** Left out: what measures the CPU, names its errors, tests kernels that only it has, or has the process itself as its subject. */
const elsewhere = [
  'model/{alexnet,embed,errors,events,memory,threads,workers}',
  'ops/{conv2d-bf16,conv2d-rows,conv2d-winograd,conv2d-winograd-shallow,dense-bf16,dense-int8,lrn-pool}',
];
/** Minutes of a simulated GPU for kernels that the smaller nets bring it too. */
const large = ['model/squeezenet'];
/** Asks cuDNN about GPUs that it is told of, which takes none. */
const described = ['cuda/engines'];
const ignore = [...elsewhere, ...(device === 'cuda-sim' ? large : described)].map(fileOf);
/** What fills the GPU's memory, measures how much of it is free, or goes by the clock. */
const ALONE = ['cuda/endurance', 'cuda/faults', 'model/runs'].map(fileOf);
/** Each file is a process with a context of its own on the GPU. */
const MOST_JOBS = 12;

const wanted =
  named.length > 0
    ? named.flatMap((name) => [`test/${name}/*.test.ts`, fileOf(name)])
    : ['test/{cuda,ops,fixtures,solvers,model}/*.test.ts', 'test/addon/fuzz.test.ts'];
try {
  await openDevice(device);
} catch (error) {
  if (!(error instanceof CortadoError)) throw error;
  console.error(error.message);
  process.exit(1);
}
const files = globSync(wanted, { ignore }).sort();
if (files.length === 0) {
  console.error(
    `${named.join(', ')}: expected folders of tests such as ops, or files such as ops/pool, found no tests`,
  );
  process.exit(1);
}
const mocha = createRequire(import.meta.url).resolve('mocha/bin/mocha.js');
const command = [process.execPath, '--import', 'tsx', mocha, '--no-config', '--timeout', '600000'];
const tools = words
  .filter((word) => word.startsWith('--sanitize'))
  .flatMap((word) => word.split('=')[1] ?? ['memcheck', 'racecheck']);
if (tools.length > 0) for (const tool of tools) run([...sanitizer(tool), ...command, ...files]);
else if (device === 'cuda-sim') run([...command, ...files]);
else {
  const alone = files.filter((file) => ALONE.includes(file));
  if (alone.length > 0) run([...command, ...alone]);
  runTogether(files.filter((file) => !ALONE.includes(file)));
}

/** Runs files at once, each with a share of the cores. */
function runTogether(together: readonly string[]): void {
  if (together.length === 0) return;
  const cores = availableParallelism();
  const jobs = Math.min(cores, MOST_JOBS);
  // Plans that were timed while others computed are not for later.
  const cache = mkdtempSync(join(tmpdir(), 'cortado-plans-'));
  try {
    run([...command, '--parallel', '--jobs', `${jobs}`, ...together], {
      CORTADO_CACHE: cache,
      CORTADO_THREADS: process.env.CORTADO_THREADS ?? `${Math.ceil(cores / jobs)}`,
    });
  } finally {
    rmSync(cache, { recursive: true });
  }
}

function run([program, ...rest]: readonly string[], settings: NodeJS.ProcessEnv = {}): void {
  const env = { ...process.env, CORTADO_DEVICE: device, ...settings };
  const { error, status } = spawnSync(program!, rest, { stdio: 'inherit', env });
  if (error) console.error(`${program!}: ${error.message}`);
  if (status !== 0) process.exitCode = status ?? 1;
}

function fileOf(name: string): string {
  return `test/${name}.test.ts`;
}

function sanitizer(tool: string): string[] {
  return ['compute-sanitizer', '--tool', tool, '--error-exitcode', '66'];
}
