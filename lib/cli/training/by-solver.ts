import { dirname, isAbsolute, join } from 'node:path';
import { caffeSnapshots, importNet, importSolver, readSolver, resume, type ImportedNet } from '../../caffe/index.js';
import type { DataLayer } from '../../caffe/data-layers.js';
import type { Solver } from '../../caffe/schema.js';
import { at } from '../../caffe/text/position.js';
import { compile } from '../../compile.js';
import { openLoader, type Loader, type LoaderOptions, type Position } from '../../data/loader.js';
import type { Dataset } from '../../data/index.js';
import { FormatError } from '../../errors.js';
import type { Model } from '../../model.js';
import { Random } from '../../random.js';
import { listCheckpoints, progressOf, type CheckpointFormat, type Progress } from '../../train/index.js';
import { BadUsage } from '../command.js';
import type { Held } from '../../recipes/held.js';
import type { Job } from './job.js';
import { openLayer } from './layer.js';
import { testSide, trainSide, type Side } from './sides.js';
import { checkSolverWords, type TrainWords } from './words.js';
import { loadWeights } from '../../nets/weights.js';

/** Streams of the solver's seed. */
const SKIP_STREAM = 0x736b6970;

/** The training that Caffe's `caffe train --solver` would do. @throws before the first iteration for all that can be known then */
export async function solverJob(words: TrainWords, held: Held): Promise<Job> {
  checkSolverWords(words);
  const file = words.solver!;
  const solver = await readSolver(file);
  const plan = importSolver(solver);
  const iterations = plan.iterations ?? missing(solver, 'max_iter');
  const seed = plan.seed ?? 1;
  const train = await trainSide(solver);
  const test = await testSide(solver);
  const dataset = await openLayer(train.layer, words.data, { subset: 'train' });
  const { batch } = train.layer;
  const settings: LoaderOptions = {
    batch,
    phase: 'train',
    shuffle: shuffles(train, dataset, words) ? seed : false,
    seed,
    start: skipped(train.layer, dataset, seed),
    ...workersOf(words),
  };
  const first = held.add(await openLoader(dataset, settings));
  const net = netOf(train, first, 'TRAIN');
  const model = held.add(
    await compile(net.graph, {
      device: words.device,
      batch,
      solver: plan.solver,
      seed,
      ...(words.threads !== undefined && { threads: words.threads }),
    }),
  );
  const format = caffeSnapshots(net, { hdf5: solver.snapshot_format === 'HDF5' });
  const prefix = words.output ?? prefixOf(solver, file, train.beside);
  const progress = await startingPoint(words, solver, { model, net, prefix, format });
  const start = progress?.position;
  if (start) await first.close();
  const loader = start ? held.add(await openLoader(dataset, { ...settings, start })) : first;
  const evaluation =
    test && (await evaluationOf(solver, test, { model, words, held, path: words.testData ?? words.data }));
  return {
    model,
    loader,
    options: {
      iterations,
      averageLoss: plan.averageLoss,
      inputs: inputsOf(train.layer),
      checkpoint: {
        prefix,
        every: (solver.snapshot ?? 0) > 0 ? solver.snapshot! : Infinity,
        atEnd: solver.snapshot_after_train,
        keep: words.keep ?? Infinity,
        best: words.patience !== undefined,
        format,
      },
      ...(evaluation && {
        evaluation: { ...evaluation, ...(words.patience !== undefined && { patience: words.patience }) },
      }),
      ...(progress && { progress }),
      ...statisticsOf(words, solver),
    },
    testFirst: solver.test_initialization ?? true,
    display: words.display ?? solver.display ?? 0,
  };
}

function statisticsOf(words: TrainWords, { debug_info: debug }: Solver): { statistics?: number } {
  const every = words.statistics ?? (debug ? 1 : undefined);
  return every === undefined ? {} : { statistics: every };
}

export function workersOf({ workers }: TrainWords): { workers?: number } {
  return workers === undefined ? {} : { workers };
}

function missing(solver: Solver, name: string): never {
  throw new FormatError(`${at(solver)}expected ${name}, got none`);
}

/** Databases come in their own order, as in Caffe; pictures in folders, class after class, must not. */
function shuffles({ layer }: Side, dataset: Dataset, words: TrainWords): boolean {
  return layer.shuffle || (words.data !== undefined && dataset.reader.kind === 'files');
}

/** Caffe begins at a random one of the first records. */
function skipped({ skip }: DataLayer, dataset: Dataset, seed: number): Position {
  const place = skip > 0 ? new Random(seed, SKIP_STREAM).below(skip) % dataset.length : 0;
  return { epoch: 0, place };
}

function netOf({ definition, layer }: Side, { shape, dataset }: Loader, phase: 'TRAIN' | 'TEST'): ImportedNet {
  const labels = layer.label === undefined ? {} : { [layer.label]: dataset.labelShape };
  return importNet(definition, { phase, batch: layer.batch, shapes: { [layer.data]: shape, ...labels } });
}

function inputsOf({ data, label }: DataLayer): { images: string; labels: string | undefined } {
  return { images: data, labels: label };
}

function prefixOf({ snapshot_prefix: prefix = '' }: Solver, file: string, beside: boolean): string {
  return beside && !isAbsolute(prefix) && dirname(prefix) !== dirname(file) ? join(dirname(file), prefix) : prefix;
}

interface Start {
  readonly model: Model;
  readonly net: ImportedNet;
  readonly prefix: string;
  readonly format: CheckpointFormat;
}

/** Puts the model where --snapshot or --weights say. */
async function startingPoint(
  words: TrainWords,
  solver: Solver,
  { model, net, prefix, format }: Start,
): Promise<Progress | undefined> {
  const weights = words.weights ?? (solver.weights.length > 0 ? solver.weights.join(',') : undefined);
  if (words.snapshot !== undefined && words.weights !== undefined)
    throw new BadUsage('expected either --snapshot or --weights, got both: a snapshot has weights of its own');
  const newest = words.snapshot === true ? (await listCheckpoints(prefix, format.endings[0]))[0] : words.snapshot;
  if (newest !== undefined) return progressOf(await resume(model, net, newest), newest);
  if (weights !== undefined) for (const path of weights.split(',')) await loadWeights(model, net, path);
  return undefined;
}

interface TestPlace {
  readonly model: Model;
  readonly words: TrainWords;
  readonly held: Held;
  readonly path: string | undefined;
}

async function evaluationOf(solver: Solver, side: Side, { model, words, held, path }: TestPlace) {
  const { batch } = side.layer;
  const dataset = await openLayer(side.layer, path, { subset: 'test' });
  const loader = held.add(
    await openLoader(dataset, {
      batch,
      phase: 'test',
      shuffle: false,
      ...(path === undefined && { epochs: Infinity }),
      ...workersOf(words),
    }),
  );
  const net = netOf(side, loader, 'TEST');
  const judged = held.add(await compile(net.graph, { weightsOf: model, batch, threads: model.threads }));
  return {
    loader,
    model: judged,
    every: solver.test_interval ?? 1,
    // Of other data, all there is.
    ...(path === undefined && { batches: solver.test_iter[0]! }),
  };
}
