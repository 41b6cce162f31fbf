/**
 * Runs the tests of kernels, layers, nets, solvers and models on a device:
 * tsx test/on-device.ts cuda-sim [--sanitize] [folder…]
 * They are the tests of the CPU; CORTADO_DEVICE tells them where to run. --sanitize runs them under NVIDIA's
 * compute-sanitizer, for accesses out of bounds and for races.
 */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
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
const large = device === 'cuda-sim' ? ['model/squeezenet'] : [];
const ignore = [...elsewhere, ...large].map((name) => `test/${name}.test.ts`);

const wanted =
  named.length > 0
    ? named.map((folder) => `test/${folder}/*.test.ts`)
    : ['test/{cuda,ops,fixtures,solvers,model}/*.test.ts', 'test/addon/fuzz.test.ts'];
try {
  await openDevice(device);
} catch (error) {
  if (!(error instanceof CortadoError)) throw error;
  console.error(error.message);
  process.exit(1);
}
const files = globSync(wanted, { ignore }).sort();
const mocha = createRequire(import.meta.url).resolve('mocha/bin/mocha.js');
const command = [process.execPath, '--import', 'tsx', mocha, '--no-config', '--timeout', '600000', ...files];
const watchers = words.includes('--sanitize') ? ['memcheck', 'racecheck'].map(sanitizer) : [[]];
for (const watcher of watchers) {
  const [program, ...rest] = [...watcher, ...command];
  const run = spawnSync(program!, rest, { stdio: 'inherit', env: { ...process.env, CORTADO_DEVICE: device } });
  if (run.error) console.error(`${program!}: ${run.error.message}`);
  if (run.status !== 0) process.exitCode = run.status ?? 1;
}

function sanitizer(tool: string): string[] {
  return ['compute-sanitizer', '--tool', tool, '--error-exitcode', '66'];
}
