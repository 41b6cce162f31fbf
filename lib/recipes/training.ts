import { exportNet } from '../caffe/index.js';
import { formatNet } from '../caffe/export.js';
import { compile } from '../compile.js';
import { openLoader, type Loader } from '../data/loader.js';
import { UsageError } from '../errors.js';
import type { Graph } from '../graph.js';
import type { Model } from '../model.js';
import { knowModel } from '../nets/open.js';
import type { Recipe } from '../nets/saved.js';
import { loadWeights } from '../nets/weights.js';
import { restoreTraining, type Progress, type TrainOptions } from '../train/index.js';
import { isTrained, trained } from '../trained.js';
import type { Choices } from './choices.js';
import type { Held } from './held.js';
import { drawnNet, netsOf, type NetParts } from './nets.js';
import { openSets } from './sets.js';
import { solverFor } from './solver.js';
import { transformFor } from './transform.js';

const BATCH = 32;
const EPOCHS = 30;
/** A handful of pictures is gone through more often: so many updates any net needs. */
const LEAST_ITERATIONS = 300;
/** Evaluations take time too. */
const LEAST_BETWEEN_EVALUATIONS = 50;

/** What is trained, and on what. */
export interface Subject {
  /** A ready-made net, or a prototxt file with a loss. */
  readonly net: string;
  readonly data: string;
  /** Pictures to evaluate on. Default: the test part of `data`, where it has one. */
  readonly testData?: string | undefined;
  /** Files to start from. Default: the net's fillers; to finetune, those that come with Cortado. */
  readonly weights?: readonly string[] | undefined;
  /** A checkpoint to go on from. */
  readonly snapshot?: string | undefined;
  /** Makes the last layer anew, on top of trained ones. */
  readonly finetune: boolean;
}

/** A training, ready for `train`. */
export interface Prepared {
  readonly model: Model;
  readonly loader: Loader;
  readonly options: TrainOptions & { readonly iterations: number };
  /** The net as it is evaluated. */
  readonly graph: Graph;
  /** What its checkpoints are to say of it. */
  readonly recipe: Recipe;
  /** Iterations of an epoch. */
  readonly perEpoch: number;
}

/**
 * Finds out what a training without a solver file is to be: data, net, solver, and where it begins. What is opened is held.
 * @throws {UsageError | FormatError | GraphError | ShapeError} for what does not fit together
 */
export async function prepareTraining(subject: Subject, choices: Choices, held: Held): Promise<Prepared> {
  const { net: name, finetune } = subject;
  knowModel(name);
  if (choices.epochs !== undefined && choices.iterations !== undefined)
    throw new UsageError('expected either epochs or iterations, got both');
  const drawn = await drawnNet(name);
  const transform = await transformFor(name, drawn.shape, choices);
  const sets = await openSets(subject.data, subject.testData, transform);
  if (choices.patience !== undefined && !sets.test)
    throw new UsageError('patience: expected pictures to evaluate on, got none');
  const nets = netsOf(drawn, sets.train.classes?.length ?? choices.classes, finetune);
  const pictures = sets.train.length;
  const batch = choices.batch ?? Math.min(BATCH, pictures);
  const { seed = 1, device, threads, workers, patience, statistics } = choices;
  const iterations = iterationsOf(choices, pictures, batch);
  const solver = solverFor(choices, iterations, finetune);
  const model = held.add(await compile(nets.train.graph, { device, batch, seed, threads, solver }));
  const progress = await begin(subject, nets.train, model);
  const options = { batch, seed, workers };
  const loader = held.add(
    await openLoader(sets.train, { ...options, phase: 'train', ...(progress && { start: progress.position }) }),
  );
  const perEpoch = Math.ceil(pictures / batch);
  const evaluation = sets.test && {
    loader: held.add(await openLoader(sets.test, { ...options, phase: 'test' })),
    model: held.add(await compile(nets.test.graph, { weightsOf: model, batch, threads: model.threads })),
    every: choices.evalEvery ?? Math.max(perEpoch, LEAST_BETWEEN_EVALUATIONS),
    patience,
  };
  // Of a few batches, so that the number that is shown does not jump.
  const averageLoss = Math.min(100, Math.max(1, perEpoch));
  return {
    model,
    loader,
    options: { iterations, averageLoss, statistics, ...(evaluation && { evaluation }), ...(progress && { progress }) },
    graph: nets.test.graph,
    recipe: { net: formatNet(exportNet(nets.test.graph).definition), transform, classes: sets.train.classes },
    perEpoch,
  };
}

function iterationsOf({ iterations, epochs }: Choices, pictures: number, batch: number): number {
  if (iterations !== undefined) return iterations;
  const least = epochs === undefined ? LEAST_ITERATIONS : 1;
  return Math.max(least, Math.ceil(((epochs ?? EPOCHS) * pictures) / batch));
}

/** Puts the model where a snapshot or weights say. */
async function begin(
  { net, weights, snapshot, finetune }: Subject,
  { layers }: NetParts,
  model: Model,
): Promise<Progress | undefined> {
  if (snapshot !== undefined) return restoreTraining(model, snapshot);
  if (weights) for (const path of weights) await loadWeights(model, { layers }, path);
  else if (finetune) await loadTrained(model, layers, net);
  return undefined;
}

/** The weights that come with Cortado, less those of the last layer. */
async function loadTrained(model: Model, layers: NetParts['layers'], name: string): Promise<void> {
  if (!isTrained(name)) throw new UsageError(`weights: expected a file to start from, since none come with ${name}`);
  const { weights } = await trained(name);
  const names = layers.flatMap(({ params }) => params.map((value) => value.name));
  await model.load(Object.fromEntries(Object.entries(weights).filter(([key]) => names.includes(key))));
}
