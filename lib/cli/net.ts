import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { readCaffemodel } from '../caffe/caffemodel.js';
import {
  matchWeights,
  readNet,
  type ImportedLayer,
  type ImportedBlob,
  type NetOptions,
} from '../caffe/import/index.js';
import type { Graph } from '../graph.js';
import * as models from '../models/index.js';
import { formatOf } from '../formats/files.js';
import { readWeights } from '../formats/weights.js';
import { readOnnx } from '../onnx/index.js';
import type { Tensor, TensorData } from '../tensor.js';
import { BadUsage } from './command.js';

export interface ModelOptions {
  readonly model: string;
  readonly weights?: string;
}

/** A net as commands use it, from a file or ready-made. */
export interface OpenNet {
  readonly graph: Graph;
  readonly blobs: ReadonlyMap<string, ImportedBlob>;
  readonly layers: readonly Pick<ImportedLayer, 'name' | 'params'>[];
  readonly weights: Readonly<Record<string, Tensor>>;
}

type Phase = 'TRAIN' | 'TEST';

/** The ready-made models by the names that commands know them by. */
const READY: Readonly<Record<string, () => Graph>> = {
  alexnet: models.alexnet,
  caffenet: models.caffenet,
  'alexnet-owt': models.alexnetOwt,
  'cifar10-quick': models.cifar10Quick,
  'cifar10-full': models.cifar10Full,
  lenet: models.lenet,
  squeezenet: models.squeezenet,
  'squeezenet-torchvision': () => models.squeezenet({ form: 'torchvision' }),
};

/** Adds --model. */
export function addModel(command: Command): Command {
  const names = Object.keys(READY).join(', ');
  return command.requiredOption('--model <net>', `a prototxt or ONNX file, or one of ${names}`);
}

/** Opens what --model and --weights name. A ready-made model goes before a file of the same name: `./lenet` is the file. */
export async function openNet(
  { model, weights }: ModelOptions,
  phase: Phase = 'TEST',
  inputs: NetOptions = {},
): Promise<OpenNet> {
  const ready = Object.hasOwn(READY, model) ? READY[model] : undefined;
  if (!ready && !/[./\\]/.test(model) && !existsSync(model)) {
    throw new BadUsage(
      `--model: expected a prototxt or ONNX file or one of ${Object.keys(READY).join(', ')}, got "${model}"`,
    );
  }
  const net = ready ? { ...opened(ready()), weights: {} } : await openFile(model, phase, inputs);
  return weights === undefined ? net : { ...net, weights: await weightsOf(net, weights) };
}

async function openFile(model: string, phase: Phase, inputs: NetOptions): Promise<OpenNet> {
  if (!model.toLowerCase().endsWith('.onnx')) return readNet(model, { ...inputs, phase });
  const { graph, weights } = await readOnnx(model, inputs);
  return { ...opened(graph), weights: floats(weights) };
}

/** Weights by layer from a caffemodel, by name from any other file. */
async function weightsOf(net: OpenNet, path: string): Promise<OpenNet['weights']> {
  const kind = formatOf(path)?.name;
  if (kind === undefined || kind === 'caffemodel') return matchWeights(net, await readCaffemodel(path));
  return floats(await readWeights(net.graph, path));
}

function floats(weights: Readonly<Record<string, Tensor<TensorData>>>): OpenNet['weights'] {
  return Object.fromEntries(
    Object.entries(weights).map(([name, { data, shape }]) => {
      return [name, { data: data instanceof Float32Array ? data : Float32Array.from(data), shape }];
    }),
  );
}

/** A graph seen as a net of a file: a blob for each value, a layer for each node. */
function opened(graph: Graph): Omit<OpenNet, 'weights'> {
  const values = graph.values.filter((v) => typeof v.source !== 'object' || 'node' in v.source);
  const layers = graph.nodes.map((node) => ({ name: node.name, params: node.inputs.slice(node.arity) }));
  return { graph, blobs: new Map(values.map((v) => [v.name, { first: v, last: v }])), layers };
}
