import { existsSync } from 'node:fs';
import { readCaffemodel } from '../caffe/caffemodel.js';
import {
  matchWeights,
  readNet,
  type ImportedBlob,
  type ImportedLayer,
  type NetOptions,
} from '../caffe/import/index.js';
import { UsageError } from '../errors.js';
import type { Graph } from '../graph.js';
import * as models from '../models/index.js';
import type { Tensor } from '../tensor.js';

/** A net from a file or ready-made. */
export interface OpenNet {
  readonly graph: Graph;
  readonly blobs: ReadonlyMap<string, ImportedBlob>;
  readonly layers: readonly Pick<ImportedLayer, 'name' | 'params'>[];
  readonly weights: Readonly<Record<string, Tensor>>;
}

/** The ready-made models by the names that people know them by. */
const READY: Readonly<Record<string, () => Graph>> = {
  alexnet: models.alexnet,
  caffenet: models.caffenet,
  'alexnet-owt': models.alexnetOwt,
  'cifar10-quick': models.cifar10Quick,
  'cifar10-full': models.cifar10Full,
  lenet: models.lenet,
  squeezenet: models.squeezenet,
};

export const READY_NAMES: readonly string[] = Object.keys(READY);

/**
 * Opens a net: a ready-made one by its name, or a prototxt file. A ready-made net goes before a file of the same name:
 * `./lenet` is the file.
 * @throws {UsageError} for a name that is neither
 * @throws {FormatError | GraphError | ShapeError} what reading the files throws
 */
export async function openNet(
  { model, weights }: { readonly model: string; readonly weights?: string },
  phase: 'TRAIN' | 'TEST' = 'TEST',
  inputs: NetOptions = {},
): Promise<OpenNet> {
  const ready = Object.hasOwn(READY, model) ? READY[model] : undefined;
  if (!ready && !/[./\\]/.test(model) && !existsSync(model))
    throw new UsageError(`model: expected a prototxt file or one of ${READY_NAMES.join(', ')}, got "${model}"`);
  if (!ready) return readNet(model, { ...inputs, phase, ...(weights !== undefined && { weights }) });
  const net = opened(ready());
  return { ...net, weights: weights === undefined ? {} : matchWeights(net, await readCaffemodel(weights)) };
}

/** A graph seen as a net of a file: a blob for each value, a layer for each node. */
function opened(graph: Graph): Omit<OpenNet, 'weights'> {
  const values = graph.values.filter((v) => typeof v.source !== 'object' || 'node' in v.source);
  const layers = graph.nodes.map((node) => ({ name: node.name, params: node.inputs.slice(node.arity) }));
  return { graph, blobs: new Map(values.map((v) => [v.name, { first: v, last: v }])), layers };
}
