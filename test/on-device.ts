/**
 * Runs the tests of kernels, layers, nets, solvers and models on a device:
 * tsx test/on-device.ts cuda-sim [--sanitize[=memcheck|racecheck]] [folder | folder/name…]
 * They are the tests of the CPU; CORTADO_DEVICE tells them where to run. Those that must have it for themselves come first,
 * then the others, as many files at once as there are cores. --sanitize runs all of them, one by one, under NVIDIA's
 * compute-sanitizer, for accesses out of bounds and for races.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { globSync } from 'tinyglobby';
import { openDevice } from '../lib/device.js';
import { CortadoError } from '../lib/errors.js';
import { JOBS, mochaWords, runFiles } from './support/processes.js';

const [device = 'cuda', ...words] = process.argv.slice(2);
const named = words.filter((word) => !word.startsWith('--'));

/** Left out: what measures the CPU, names its errors, tests kernels that only it has, or has the process itself as its subject. */
const elsewhere = [
  'model/{alexnet,embed,errors,events,memory,short,threads,workers}',
  'ops/conv2d-{bf16,depthwise,flat,pointwise,rows,winograd,winograd-shallow}',
  'ops/{dense-bf16,dense-int8,lrn-pool}',
];
/** Minutes of a simulated GPU for kernels that the smaller nets bring it too. */
const large = ['model/{squeezenet,trained}'];
/** Asks cuDNN about GPUs that it is told of, which takes none. */
const described = ['cuda/engines'];
const ignore = [...elsewhere, ...(device === 'cuda-sim' ? large : described)].map(fileOf);
/** What fills the GPU's memory, measures how much of it is free, or goes by the clock. */
const ALONE = ['cuda/endurance', 'cuda/faults', 'model/runs'].map(fileOf);

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
const timeout = 600_000;
process.env.CORTADO_DEVICE = device;
const tools = words
  .filter((word) => word.startsWith('--sanitize'))
  .flatMap((word) => word.split('=')[1] ?? ['memcheck', 'racecheck']);
const good = tools.length > 0 ? tools.map(sanitized).every((clean) => clean) : await runTogether();
if (!good) process.exitCode = 1;

/** Each process has a share of the cores. */
async function runTogether(): Promise<boolean> {
  // Plans that were timed while others computed are not for later.
  const cache = mkdtempSync(join(tmpdir(), 'cortado-plans-'));
  const threads = process.env.CORTADO_THREADS ?? `${Math.ceil(availableParallelism() / JOBS)}`;
  try {
    return await runFiles(files, {
      alone: ALONE,
      timeout,
      together: { CORTADO_CACHE: cache, CORTADO_THREADS: threads },
    });
  } finally {
    rmSync(cache, { recursive: true });
  }
}

/** Runs all files, one by one, under a tool of compute-sanitizer. @returns whether it found nothing */
function sanitized(tool: string): boolean {
  const tested = [process.execPath, ...mochaWords(timeout), ...files];
  const { error, status } = spawnSync('compute-sanitizer', ['--tool', tool, '--error-exitcode', '66', ...tested], {
    stdio: 'inherit',
  });
  if (error) console.error(`compute-sanitizer: ${error.message}`);
  return status === 0;
}

function fileOf(name: string): string {
  return `test/${name}.test.ts`;
}
