import { dataLayers } from '../../caffe/data-layers.js';
import { importNet } from '../../caffe/index.js';
import { filterNet } from '../../caffe/phase.js';
import { readNetDefinition } from '../../caffe/prototxt.js';
import { openLoader, type Loader } from '../../data/loader.js';
import { openDataset, type Dataset, type TransformOptions } from '../../data/index.js';
import type { Graph } from '../../graph.js';
import type { Shape } from '../../shape.js';
import type { Tensor } from '../../tensor.js';
import { isTrained, trained } from '../../trained.js';
import { BadUsage, type ComputeOptions } from '../command.js';
import { knowModel, openNet, READY } from '../../nets/open.js';
import type { Held } from '../../recipes/held.js';
import { transformFor } from '../../recipes/transform.js';
import { openSaved } from '../../nets/saved.js';
import { openLayer } from '../training/layer.js';
import { weightsOf } from '../../nets/weights.js';

export interface TestWords extends ComputeOptions {
  readonly model?: string;
  readonly weights?: string;
  readonly data?: string;
  readonly batch?: number;
  readonly iterations?: number;
  readonly resize?: number;
  readonly mean?: string;
  readonly scale?: number;
  readonly oversample?: boolean;
  readonly workers?: number;
}

/** What is tested: a net with its weights, and pictures that fit it. */
export interface Subject {
  readonly graph: Graph;
  readonly weights: Readonly<Record<string, Tensor>>;
  readonly loader: Loader;
  /** Names of the classes, where the data or the weights tell them. */
  readonly classes: readonly string[] | undefined;
}

const BATCH = 32;

/** Finds out what --model, --weights and --data mean together. */
export async function openSubject(words: TestWords, held: Held): Promise<Subject> {
  const { model, weights } = words;
  if (model !== undefined) knowModel(model);
  if (model === undefined) {
    if (!weights?.endsWith('.safetensors'))
      throw new BadUsage('expected --model, or --weights with a checkpoint of "cortado train --net"');
    const net = await openSaved(weights);
    return ofSet(net.graph, net.weights, net.transform, { words, held, classes: net.classes });
  }
  if (weights === undefined) {
    if (!isTrained(model)) throw new BadUsage(`--weights: expected a file, since none come with ${model}`);
    const net = await trained(model);
    const transform = { ...(await transformFor(model, net.graph.inputSpecs.data!.shape, words)), mean: net.mean };
    return ofSet(net.graph, net.weights, transform, { words, held, classes: net.classes });
  }
  if (Object.hasOwn(READY, model)) {
    const net = await openNet({ model });
    const transform = await transformFor(model, net.graph.inputSpecs.data!.shape, words);
    return ofSet(net.graph, await weightsOf(net, weights), transform, { words, held, classes: undefined });
  }
  return ofFile(model, weights, words, held);
}

interface Given {
  readonly words: TestWords;
  readonly held: Held;
  readonly classes: readonly string[] | undefined;
}

async function ofSet(
  graph: Graph,
  weights: Subject['weights'],
  transform: TransformOptions,
  { words, held, classes }: Given,
): Promise<Subject> {
  if (words.data === undefined) throw new BadUsage('--data: expected pictures to test on');
  const dataset = await openDataset(words.data, { ...transform, mirror: false, subset: 'test' });
  const loader = held.add(await load(dataset, words));
  return { graph, weights, loader, classes: dataset.classes ?? classes };
}

/** A net of a file: its own data layer for tests says what to read, unless --data does. */
async function ofFile(path: string, weights: string, words: TestWords, held: Held): Promise<Subject> {
  const definition = filterNet(await readNetDefinition(path), { phase: 'TEST' });
  const [layer] = dataLayers(definition);
  if (!layer) {
    const { graph, layers } = importNet(definition, { phase: 'TEST' });
    const pictures = Object.values(graph.inputSpecs).find(({ shape }) => shape.length === 3);
    const transform = await transformFor(path, pictures?.shape ?? [], words);
    return ofSet(graph, await weightsOf({ layers }, weights), transform, { words, held, classes: undefined });
  }
  const more = { subset: 'test', ...(words.resize !== undefined && { resize: words.resize }) } as const;
  const loader = held.add(await load(await openLayer(layer, words.data, more), { batch: layer.batch, ...words }));
  const shapes: Record<string, Shape> = { [layer.data]: loader.shape };
  if (layer.label !== undefined) shapes[layer.label] = loader.dataset.labelShape;
  const net = importNet(definition, { phase: 'TEST', batch: loader.options.batch, shapes });
  return { graph: net.graph, weights: await weightsOf(net, weights), loader, classes: loader.dataset.classes };
}

function load(dataset: Dataset, { batch = BATCH, workers, oversample = false }: TestWords): Promise<Loader> {
  return openLoader(dataset, { batch, phase: 'test', oversample, ...(workers !== undefined && { workers }) });
}
