/** Times another build of Cortado and these sources in one process, run by run in turns: layers of shapes.json, and nets. */
import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Command } from 'commander';
import * as cortado from '../lib/index.js';
import { info } from '../lib/native.js';
import * as nets from '../lib/nets/open.js';
import { measurePeak } from '../lib/probe.js';
import { count } from '../lib/shape.js';
import { align } from '../lib/table.js';
import { openCase, type Case, type Library } from './kernels.js';
import { caseOf, layersOf } from './layers.js';
import { SOLVER } from './nets.js';
import { formatPeak } from './report.js';
import { collect, median, noise, time } from './timing.js';

/** A build of Cortado, or its sources. */
interface Build {
  readonly library: Library;
  readonly nets: Pick<typeof nets, 'openNet'>;
}

/** What both builds run, until it is disposed of; milliseconds by pass. */
interface Runner extends Disposable {
  readonly run: () => Promise<ReadonlyMap<string, number>>;
}

/** One pass of a layer or net. */
export interface Row {
  readonly name: string;
  readonly pass: string;
  readonly batch: number;
  readonly before: number;
  readonly now: number;
  /** Median of `before / now` over pairs of turns. */
  readonly ratio: number;
}

/** The build in a folder, as `npm run build` leaves it there. */
async function load(folder: string): Promise<Build> {
  const file = (name: string): string => join(resolve(folder), 'dist', name);
  if (!existsSync(file('index.js'))) program.error(`${file('index.js')}: no such file; run \`npm run build\` there`);
  const from = (name: string): Promise<unknown> => import(pathToFileURL(file(name)).href);
  return { library: (await from('index.js')) as Library, nets: (await from('nets/open.js')) as typeof nets };
}

/** A net by its name or file, forward or, if it is to learn, in training steps. */
async function openNet(build: Build, model: string, batch: number, pass: 'infer' | 'train'): Promise<Runner> {
  const net = await build.nets.openNet({ model });
  const train = pass === 'train';
  const compiled = await build.library.compile(net.graph, train ? { batch, solver: SOLVER } : { batch });
  await compiled.load(net.weights);
  const feeds = Object.fromEntries(
    Object.entries(net.graph.inputs).map(([name, { shape }]) => {
      const length = batch * count(shape);
      // Labels are no images: class 0 is one of any net.
      return [name, shape.length > 1 ? noise(length, 100) : new Float32Array(length)];
    }),
  );
  const outputs = Object.values(net.graph.outputs).filter((value) => train || !net.graph.losses.includes(value));
  const fetch = outputs.map(({ name }) => name);
  const once = (): Promise<unknown> => (train ? compiled.step(feeds) : compiled.forward(feeds, { fetch }));
  return {
    run: async () => new Map([[pass, await time(once)]]),
    [Symbol.dispose]: () => compiled.dispose(),
  };
}

async function openLayer(one: Case, batch: number, library: Library): Promise<Runner> {
  const open = await openCase(one, batch, {}, library);
  return {
    run: async () => new Map([...(await open.run())].map(([pass, { ms }]) => [pass, ms])),
    [Symbol.dispose]: () => open[Symbol.dispose](),
  };
}

/** A turn is as many runs as take this long, in milliseconds. */
const TURN = 10;

/**
 * One turn: medians of its runs but for the first, which finds the other build in the caches, and its threads not yet
 * asleep on the processors.
 */
async function turn({ run }: Runner): Promise<ReadonlyMap<string, number>> {
  const runs = [await run()];
  for (const end = performance.now() + TURN; performance.now() < end;) runs.push(await run());
  const kept = runs.length > 1 ? runs.slice(1) : runs;
  return new Map([...kept[0]!.keys()].map((pass) => [pass, median(kept.map((one) => one.get(pass)!))]));
}

/** Both by turns; who goes first changes. */
async function inTurns(
  before: Runner,
  now: Runner,
  seconds: number,
): Promise<Pick<Row, 'pass' | 'before' | 'now' | 'ratio'>[]> {
  let turns = 0;
  const pairs = await collect(async () => {
    if (turns++ % 2 === 0) return { before: await turn(before), now: await turn(now) };
    const later = await turn(now);
    return { before: await turn(before), now: later };
  }, seconds);
  return [...pairs[0]!.now.keys()].map((pass) => {
    const of = (who: 'before' | 'now'): number[] => pairs.map((pair) => pair[who].get(pass)!);
    const [old, own] = [of('before'), of('now')];
    return { pass, before: median(old), now: median(own), ratio: median(old.map((ms, i) => ms / own[i]!)) };
  });
}

const program = new Command('bench:against')
  .description('Times another build of Cortado and these sources in turns. Compiled before with `npm run build`, both.')
  .argument('<folder>', 'of the other build')
  .option('--layers <regex>', 'layers of shapes.json whose names match', '.')
  .option('--nets <list>', 'instead of layers: nets, as ready-made ones are called, or files of ONNX or prototxt')
  .option('--train', 'training steps of these nets, instead of inference')
  .option('--batch <list>', 'batch sizes', '1,16')
  .option('--seconds <n>', 'time for each layer or net, or as long as ten turns take', '2')
  .option('--json <file>', 'write the report');

interface Options {
  readonly layers: string;
  readonly nets?: string;
  readonly train?: true;
  readonly batch: string;
  readonly seconds: string;
  readonly json?: string;
}

/** What is to be timed: its name, and how a build opens it. */
function works({
  layers,
  nets: names,
  train,
}: Options): (readonly [string, (build: Build, batch: number) => Promise<Runner>])[] {
  if (names === undefined)
    return layersOf(new RegExp(layers)).map((layer) => [
      layer.name,
      ({ library }, batch) => openLayer(caseOf(layer, library), batch, library),
    ]);
  return names
    .split(',')
    .map((name) => [name, (build, batch) => openNet(build, name, batch, train ? 'train' : 'infer')]);
}

program.parse();
const [folder, options] = [program.args[0]!, program.opts<Options>()];
const other = await load(folder);
const own: Build = { library: cortado, nets };
const peak = await measurePeak(info().threads);
const rows: Row[] = [];
for (const batch of options.batch.split(',').map(Number)) {
  for (const [name, open] of works(options)) {
    using before = await open(other, batch);
    using now = await open(own, batch);
    for (const row of await inTurns(before, now, Number(options.seconds))) rows.push({ name, batch, ...row });
  }
}

console.log(`${formatPeak(peak)}\n`);
const lines = rows.map(({ name, pass, batch, before, now, ratio }) => [
  ...[name, pass, `${batch}`, before.toFixed(3), now.toFixed(3), `${ratio.toFixed(2)} x`],
]);
console.log(align([['', 'pass', 'batch', `ms, ${folder}`, 'ms, here', 'speed'], ...lines], 2));
const mean = Math.exp(rows.reduce((sum, { ratio }) => sum + Math.log(ratio), 0) / rows.length);
console.log(`\nGeometric mean: ${mean.toFixed(2)} x`);
if (options.json)
  writeFileSync(
    options.json,
    `${JSON.stringify({ date: new Date().toISOString(), node: process.version, machine: peak, against: folder, rows }, null, 2)}\n`,
  );
