import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { exportNet, importNet, type ImportedLayer } from '../../caffe/index.js';
import { dataLayers } from '../../caffe/data-layers.js';
import { formatNet } from '../../caffe/export.js';
import { withNewHead } from '../../caffe/new-head.js';
import { filterNet } from '../../caffe/phase.js';
import { readNetDefinition } from '../../caffe/prototxt.js';
import type { Net } from '../../caffe/schema.js';
import { compile } from '../../compile.js';
import { openLoader } from '../../data/loader.js';
import { FormatError, GraphError } from '../../errors.js';
import type { Graph } from '../../graph.js';
import type { Model } from '../../model.js';
import type { Shape } from '../../shape.js';
import { listCheckpoints, restoreTraining, type Progress } from '../../train/index.js';
import { isTrained, trained } from '../../trained.js';
import { BadUsage } from '../command.js';
import { knowModel, READY } from '../../nets/open.js';
import { workersOf } from './by-solver.js';
import type { Held } from './held.js';
import type { Job } from './job.js';
import { transformFor } from './recipe.js';
import { withRecipe } from '../../nets/saved.js';
import { openSets, type Sets } from './sets.js';
import { solverFor } from './solvers.js';
import { loadWeights } from '../../nets/weights.js';
import type { TrainWords } from './words.js';

const BATCH = 32;
const EPOCHS = 30;
/** A handful of pictures is gone through more often: so many updates any net needs. */
const LEAST_ITERATIONS = 300;
/** Evaluations and checkpoints take time too. */
const LEAST_BETWEEN = { evaluations: 50, checkpoints: 100 };

/** A net to be trained and the one that is evaluated: the same layers, as far as they have weights. */
interface Nets {
  readonly train: NetParts;
  readonly test: NetParts;
}

interface NetParts {
  readonly graph: Graph;
  readonly layers: readonly Pick<ImportedLayer, 'name' | 'params'>[];
}

/** A training without a solver file. `finetune`: with a new last layer on top of weights. */
export async function netJob(words: TrainWords, held: Held, finetune = false): Promise<Job> {
  const name = words.net!;
  knowModel(name);
  if (words.data === undefined) throw new BadUsage('--data: expected a folder of pictures, a list or a database');
  if (words.epochs !== undefined && words.iterations !== undefined)
    throw new BadUsage('expected either --epochs or --iterations, got both');
  const definition = Object.hasOwn(READY, name) ? undefined : await readNetDefinition(name);
  const shape = inputShape(name, definition);
  const transform = await transformFor(name, shape, words);
  const sets = await openSets(words.data, words.testData, transform);
  const nets = netsOf({ name, definition, shape, sets, words, finetune });
  const batch = words.batch ?? Math.min(BATCH, sets.train.length);
  const wanted = words.epochs ?? EPOCHS;
  const perEpoch = Math.ceil(sets.train.length / batch);
  const least = words.epochs === undefined ? LEAST_ITERATIONS : 1;
  const iterations = words.iterations ?? Math.max(least, Math.ceil((wanted * sets.train.length) / batch));
  const { seed = 1, device, threads } = words;
  const settings = { device, batch, seed, ...(threads !== undefined && { threads }) };
  const model = held.add(
    await compile(nets.train.graph, { ...settings, solver: solverFor(words, iterations, finetune) }),
  );
  const prefix = words.output ?? name.replace(/^.*[/\\]/, '').replace(/\.[^.]*$/, '');
  const progress = await startingPoint(words, { ...nets.train, model, prefix, finetune });
  const options = { batch, seed, ...workersOf(words) };
  const start = progress?.position;
  const loader = held.add(await openLoader(sets.train, { ...options, phase: 'train', ...(start && { start }) }));
  const evaluation = sets.test && {
    loader: held.add(await openLoader(sets.test, { ...options, phase: 'test' })),
    model: held.add(await compile(nets.test.graph, { weightsOf: model, batch, threads: model.threads })),
    every: words.evalEvery ?? Math.max(perEpoch, LEAST_BETWEEN.evaluations),
    ...(words.patience !== undefined && { patience: words.patience }),
  };
  if (words.patience !== undefined && !evaluation)
    throw new BadUsage('--patience: expected pictures to evaluate on (--test-data), got none');
  await mkdir(dirname(prefix), { recursive: true });
  return {
    model,
    loader,
    options: {
      iterations,
      // Of a few batches, so that the number that is shown does not jump.
      averageLoss: Math.min(100, Math.max(1, perEpoch)),
      checkpoint: {
        prefix,
        every: words.checkpointEvery ?? Math.max(perEpoch, LEAST_BETWEEN.checkpoints),
        notes: withRecipe({
          net: formatNet(exportNet(nets.test.graph).definition),
          transform,
          classes: sets.train.classes,
        }),
        ...(words.keep !== undefined && { keep: words.keep }),
      },
      ...(evaluation && { evaluation }),
      ...(progress && { progress }),
      ...(words.statistics !== undefined && { statistics: words.statistics }),
    },
    testFirst: false,
    display: words.display ?? Math.max(1, Math.ceil(iterations / 100)),
  };
}

/** (C, H, W) of what a net takes. */
function inputShape(name: string, definition: Net | undefined): Shape {
  if (!definition) return READY[name]!().inputSpecs.data!.shape;
  const net = filterNet(definition, { phase: 'TRAIN' });
  const [layer] = dataLayers(net);
  const { crop, resize } = layer?.transform ?? {};
  const extents = crop ?? resize;
  if (layer && Array.isArray(extents))
    return [layer.transform.channelOrder === 'grey' ? 1 : 3, ...(extents as number[])];
  if (layer)
    throw new FormatError(
      `${name}: expected crop_size in the data layer of a net that is trained without a solver file`,
    );
  const { graph } = importNet(definition, { phase: 'TRAIN' });
  const pictures = Object.values(graph.inputSpecs).filter(({ shape }) => shape.length === 3);
  if (pictures.length === 1) return pictures[0]!.shape;
  throw new GraphError(`${name}: expected one input of pictures (N, C, H, W), got ${pictures.length}`);
}

interface NetPlan {
  readonly name: string;
  readonly definition: Net | undefined;
  /** (C, H, W) of its pictures. */
  readonly shape: Shape;
  readonly sets: Sets;
  readonly words: TrainWords;
  readonly finetune: boolean;
}

function netsOf({ name, definition, shape, sets, words, finetune }: NetPlan): Nets {
  const classes = sets.train.classes?.length ?? words.classes;
  if (!definition && !finetune) {
    const graph = READY[name]!(classes === undefined ? {} : { classes });
    const layers = graph.nodes.map((node) => ({ name: node.name, params: node.inputs.slice(node.arity) }));
    return { train: { graph, layers }, test: { graph, layers } };
  }
  if (finetune && classes === undefined)
    throw new BadUsage('--classes: expected how many, since the data does not name them');
  const plain = definition ?? exportNet(READY[name]!()).definition;
  const changed = finetune ? withNewHead(plain, classes!) : plain;
  const [train, test] = (['TRAIN', 'TEST'] as const).map((phase) =>
    importNet(changed, { phase, shapes: shapesOf(changed, shape, phase) }),
  );
  if (train!.graph.losses.length === 0)
    throw new GraphError(`${name}: expected a net with a loss to train, such as its train_val.prototxt, got none`);
  return { train: train!, test: test! };
}

/** What a file leaves open: the extents of what its data layer reads. */
function shapesOf(definition: Net, shape: Shape, phase: 'TRAIN' | 'TEST'): Record<string, Shape> {
  const [layer] = dataLayers(filterNet(definition, { phase }));
  if (!layer) return {};
  return { [layer.data]: shape, ...(layer.label !== undefined && { [layer.label]: [] }) };
}

interface Start extends NetParts {
  readonly model: Model;
  readonly prefix: string;
  readonly finetune: boolean;
}

/** Puts the model where --snapshot or --weights say. */
async function startingPoint(
  words: TrainWords,
  { model, layers, prefix, finetune }: Start,
): Promise<Progress | undefined> {
  const newest = words.snapshot === true ? await newestOf(prefix) : words.snapshot;
  if (newest !== undefined) return restoreTraining(model, newest);
  if (words.weights !== undefined)
    for (const path of words.weights.split(',')) await loadWeights(model, { layers }, path);
  else if (finetune) await loadTrained(model, layers, words.net!);
  return undefined;
}

async function newestOf(prefix: string): Promise<string | undefined> {
  const list = await listCheckpoints(prefix).catch(() => []);
  return list[0];
}

/** The weights that come with Cortado, less those of the last layer. */
async function loadTrained(model: Model, layers: NetParts['layers'], name: string): Promise<void> {
  if (!isTrained(name)) throw new BadUsage(`--weights: expected a file to start from, since none come with ${name}`);
  const { weights } = await trained(name);
  const names = layers.flatMap(({ params }) => params.map((value) => value.name));
  await model.load(Object.fromEntries(Object.entries(weights).filter(([key]) => names.includes(key))));
}
