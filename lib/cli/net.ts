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
import type { ModelOptions as ReadyOptions } from '../models/index.js';
import type { Tensor } from '../tensor.js';
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
export const READY: Readonly<Record<string, (options?: ReadyOptions) => Graph>> = {
  alexnet: models.alexnet,
  caffenet: models.caffenet,
  'alexnet-owt': models.alexnetOwt,
  'cifar10-quick': models.cifar10Quick,
  'cifar10-full': models.cifar10Full,
  lenet: models.lenet,
  squeezenet: models.squeezenet,
};

/** What --model takes. */
export const MODELS = `a prototxt file, or one of ${Object.keys(READY).join(', ')}`;

/** Adds --model. */
export function addModel(command: Command): Command {
  return command.requiredOption('--model <net>', MODELS);
}

/** Opens what --model and --weights name. A ready-made model goes before a file of the same name: `./lenet` is the file. */
export async function openNet(
  { model, weights }: ModelOptions,
  phase: Phase = 'TEST',
  inputs: NetOptions = {},
): Promise<OpenNet> {
  knowModel('--model', model);
  const ready = Object.hasOwn(READY, model) ? READY[model] : undefined;
  if (!ready) return readNet(model, { ...inputs, phase, ...(weights !== undefined && { weights }) });
  const net = opened(ready());
  return { ...net, weights: weights === undefined ? {} : matchWeights(net, await readCaffemodel(weights)) };
}

/** @throws {BadUsage} for what is neither a ready-made model nor looks like a file */
export function knowModel(option: string, model: string): void {
  if (Object.hasOwn(READY, model) || /[./\\]/.test(model) || existsSync(model)) return;
  throw new BadUsage(`${option}: expected a prototxt file or one of ${Object.keys(READY).join(', ')}, got "${model}"`);
}

/** A graph seen as a net of a file: a blob for each value, a layer for each node. */
function opened(graph: Graph): Omit<OpenNet, 'weights'> {
  const values = graph.values.filter((v) => typeof v.source !== 'object' || 'node' in v.source);
  const layers = graph.nodes.map((node) => ({ name: node.name, params: node.inputs.slice(node.arity) }));
  return { graph, blobs: new Map(values.map((v) => [v.name, { first: v, last: v }])), layers };
}
