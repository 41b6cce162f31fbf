/** From a file of AlexNet's weights to the first answer, in processes of their own: npm run bench:load -- --runs 10 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { inMemory, writeSafetensors } from '../lib/formats/index.js';
import { alexnet, compile } from '../lib/index.js';
import { median } from './timing.js';

const { runs } = new Command('bench:load')
  .description(
    'Times what lies between the start of a process and the first answer of AlexNet, its weights in the file cache.',
  )
  .option('--runs <n>', 'processes', Number, 10)
  .parse()
  .opts<{ runs: number }>();

/** What an application does; it imports what `npm run build:ts` made. Milliseconds since the process began. */
const PROGRAM = `
const times = {};
const lap = (name) => (times[name] = performance.now());
lap('Node started');
const { alexnet, compile } = await import('cortado');
const { readWeights } = await import('cortado/formats');
lap('imported');
const graph = alexnet();
const weights = await readWeights(graph, process.argv[1]);
lap('read');
const model = await compile(graph, { weights });
lap('compiled');
const { prob } = await model.forward({ data: new Float32Array(3 * 227 * 227).fill(1) });
lap('answered');
if (!(prob.data.length === 1000)) throw new Error('no answer');
const { user, system } = process.cpuUsage();
console.log(JSON.stringify({ times, processor: (user + system) / 1000 }));`;

/** What a process says: when it had come how far, and the time of all processors that it took. */
interface Told {
  readonly times: Readonly<Record<string, number>>;
  readonly processor: number;
}

const folder = mkdtempSync(join(tmpdir(), 'cortado-load-'));
try {
  const path = join(folder, 'alexnet.safetensors');
  await using model = await compile(alexnet());
  await writeSafetensors(path, inMemory(await model.weights()));
  const told = Array.from({ length: runs + 1 }, () => start(path)).slice(1); // the first one warms the file cache
  const laps = told.map(({ times }) => times);
  console.log(
    `${(statSync(path).size / 2 ** 20).toFixed(0)} MiB of safetensors, ${runs} processes; ms, median (least to most)`,
  );
  let before = laps.map(() => 0);
  for (const name of Object.keys(laps[0]!)) {
    const at = laps.map((times) => times[name]!);
    console.log(`${name.padEnd(14)}${shown(at)}   + ${shown(at.map((time, i) => time - before[i]!))}`);
    before = at;
  }
  console.log(`${'of processors'.padEnd(14)}${shown(told.map(({ processor }) => processor))}`);
} finally {
  rmSync(folder, { recursive: true });
}

function start(path: string): Told {
  const words = ['--input-type=module', '--eval', PROGRAM, path];
  const cwd = resolve(import.meta.dirname, '..');
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Told;
}

function shown(times: readonly number[]): string {
  const [least, most] = [Math.min(...times), Math.max(...times)];
  return `${median(times).toFixed(0).padStart(5)} (${least.toFixed(0)} to ${most.toFixed(0)})`.padEnd(22);
}
