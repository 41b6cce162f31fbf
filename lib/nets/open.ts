import { existsSync } from 'node:fs';
import { readNet, type ImportedBlob, type ImportedLayer, type NetOptions } from '../caffe/import/index.js';
import { UsageError } from '../errors.js';
import type { Graph } from '../graph.js';
import * as models from '../models/index.js';
import type { ModelOptions } from '../models/index.js';
import type { Tensor } from '../tensor.js';
import { floats, weightsOf } from './weights.js';

/** A net from a file or ready-made. */
export interface OpenNet {
  readonly graph: Graph;
  readonly blobs: ReadonlyMap<string, ImportedBlob>;
  readonly layers: readonly Pick<ImportedLayer, 'name' | 'params'>[];
  readonly weights: Readonly<Record<string, Tensor>>;
}

/** The ready-made models by the names that people know them by. */
export const READY: Readonly<Record<string, (options?: ModelOptions) => Graph>> = {
  alexnet: models.alexnet,
  caffenet: models.caffenet,
  'alexnet-owt': models.alexnetOwt,
  'cifar10-quick': models.cifar10Quick,
  'cifar10-full': models.cifar10Full,
  lenet: models.lenet,
  squeezenet: models.squeezenet,
  'squeezenet-torchvision': (options) => models.squeezenet({ ...options, form: 'torchvision' }),
};

/** What names a net, for people. */
export const MODELS = `a prototxt or ONNX file, or one of ${Object.keys(READY).join(', ')}`;

/**
 * Opens a net: a ready-made one by its name, or a prototxt or ONNX file. A ready-made net goes before a file of the same
 * name: `./lenet` is the file.
 * @throws {UsageError} for a name that is neither
 * @throws {FormatError | GraphError | ShapeError} what reading the files throws
 */
export async function openNet(
  { model, weights }: { readonly model: string; readonly weights?: string },
  phase: 'TRAIN' | 'TEST' = 'TEST',
  inputs: NetOptions = {},
): Promise<OpenNet> {
  knowModel(model);
  const ready = Object.hasOwn(READY, model) ? READY[model] : undefined;
  const net = ready ? { ...opened(ready()), weights: {} } : await openFile(model, phase, inputs);
  return weights === undefined ? net : { ...net, weights: await weightsOf(net, weights) };
}

/** @throws {UsageError} for what is neither a ready-made model nor looks like a file */
export function knowModel(model: string): void {
  if (Object.hasOwn(READY, model) || /[./\\]/.test(model) || existsSync(model)) return;
  throw new UsageError(`model: expected ${MODELS}, got "${model}"`);
}

async function openFile(model: string, phase: 'TRAIN' | 'TEST', inputs: NetOptions): Promise<OpenNet> {
  if (!model.toLowerCase().endsWith('.onnx')) return readNet(model, { ...inputs, phase });
  const { readOnnx } = await import('../onnx/index.js'); // a good part of the modules that a command would load
  const { graph, weights } = await readOnnx(model, inputs);
  return { ...opened(graph), weights: floats(weights) };
}

/** A graph seen as a net of a file: a blob for each value, a layer for each node. */
function opened(graph: Graph): Omit<OpenNet, 'weights'> {
  const values = graph.values.filter((v) => typeof v.source !== 'object' || 'node' in v.source);
  const layers = graph.nodes.map((node) => ({ name: node.name, params: node.inputs.slice(node.arity) }));
  return { graph, blobs: new Map(values.map((v) => [v.name, { first: v, last: v }])), layers };
}
