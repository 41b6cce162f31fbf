/**
 * How fast a loader gives AlexNet's crops from JPEG files, beside what decoding alone takes on one thread:
 * on an idle machine by the clock, on a busy one by the processor time that each picture takes.
 * `npx tsx bench/data.ts FOLDER [--rounds N]`. The folder holds JPEG files, at any depth. Times the compiled package.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Command } from 'commander';
import sharp from 'sharp';
import { glob } from 'tinyglobby';
import { openLoader, type Dataset } from 'cortado/data';
import { median } from './timing.js';

/** Pictures of one round: more than the batches that a loader is ahead. */
const PICTURES = 256;
const ROUNDS = 7;

const program = new Command('data')
  .argument('<folder>')
  .option('--rounds <n>', 'of all, one after the other', String(ROUNDS));
await main(program.parse());

async function main(command: Command): Promise<void> {
  const rounds = Number(command.opts<{ rounds: string }>().rounds);
  const paths = await glob('**/*.{jpg,jpeg,JPEG}', { cwd: command.args[0]!, absolute: true });
  if (paths.length === 0) throw new Error(`${command.args[0]!}: no JPEG files`);
  const files = Array.from({ length: PICTURES }, (_, i) => paths[i % paths.length]!);
  const cores = availableParallelism();
  const ways: Readonly<Record<string, () => Promise<void>>> = {
    'sharp, decoding files': () => each(files, (file) => sharp(file).raw().toBuffer()),
    'sharp, decoding bytes': () => each(files, (file) => sharp(readFileSync(file)).raw().toBuffer()),
    'sharp, bytes, no profile': () =>
      each(files, (file) => sharp(readFileSync(file), { ignoreIcc: true }).raw().toBuffer()),
    'sharp, decoding, resizing': () =>
      each(files, (file) => sharp(readFileSync(file)).resize(256, 256, { fit: 'outside' }).raw().toBuffer()),
  };
  const rates = new Map<string, number[]>();
  const costs = new Map<string, number[]>();
  const measure = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    const start = performance.now();
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    costs.set(name, [...(costs.get(name) ?? []), (user + system) / 1000 / PICTURES]);
    rates.set(name, [...(rates.get(name) ?? []), (1000 * PICTURES) / (performance.now() - start)]);
  };
  await using one = await loaderOf(files, 1);
  await using all = await loaderOf(files, cores);
  for (let round = 0; round <= rounds; round++) {
    if (round === 1) for (const kept of [rates, costs]) kept.clear();
    for (const [name, work] of Object.entries(ways)) await measure(name, work);
    await measure('loader, 1 worker', () => drain(one));
    await measure(`loader, ${cores} workers`, () => drain(all));
  }
  const rateOf = (name: string): number => median(rates.get(name)!);
  const costOf = (name: string): number => median(costs.get(name)!);
  const base = 'sharp, decoding files';
  console.log(`${cores} cores, medians of ${rounds} interleaved rounds of ${PICTURES} pictures`);
  for (const name of rates.keys()) {
    const [rate, cost] = [rateOf(name), costOf(name)];
    const times = `${(rate / rateOf(base)).toFixed(2)} x`;
    const share = `${(cost / costOf(base)).toFixed(2)} x`;
    console.log(
      `${name.padEnd(26)} ${rate.toFixed(0).padStart(6)} images/s ${times}  ${cost.toFixed(2).padStart(6)} ms of CPU each ${share}`,
    );
  }
}

async function each(files: readonly string[], work: (file: string) => Promise<unknown>): Promise<void> {
  for (const file of files) await work(file);
}

function loaderOf(files: readonly string[], workers: number): ReturnType<typeof openLoader> {
  const dataset: Dataset = {
    ...{ name: 'files', length: files.length, classes: undefined, labelShape: [], reader: { kind: 'files' } },
    transform: { resize: 256, crop: 227, mirror: true },
    ref: (index) => ({ path: files[index]!, label: 0 }),
  };
  return openLoader(dataset, { batch: 64, phase: 'train', epochs: 1, workers });
}

async function drain(loader: Awaited<ReturnType<typeof loaderOf>>): Promise<void> {
  for await (const { size } of loader) if (size === 0) throw new Error('an empty batch');
}
