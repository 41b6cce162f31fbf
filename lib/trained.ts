import { join } from 'node:path';
import { FormatError } from './errors.js';
import { readSafetensors } from './formats/safetensors.js';
import type { Graph } from './graph.js';
import { cifar10Full, cifar10Quick } from './models/index.js';
import { packageRoot } from './places.js';
import type { Tensor } from './tensor.js';

/** Weights that come with Cortado, and what else the net needs of a picture; lib/trained/README.md is their model card. */
export interface Trained {
  readonly graph: Graph;
  readonly weights: Readonly<Record<string, Tensor>>;
  /** Of the pictures it was trained on (C, H, W): blue, green, red, 0 to 255. Subtracted, with no factor. */
  readonly mean: Tensor;
  /** Names of the classes in the order of the net's answers. */
  readonly classes: readonly string[];
  /** Share of the 10,000 test pictures of CIFAR-10 that it names rightly. */
  readonly accuracy: number;
}

const NETS = { 'cifar10-full': cifar10Full, 'cifar10-quick': cifar10Quick } as const;

/** A net whose weights come with Cortado. */
export type TrainedName = keyof typeof NETS;

/** Whether there are weights for a net of that name. */
export function isTrained(name: string): name is TrainedName {
  return Object.hasOwn(NETS, name);
}

/**
 * A net with the weights that come with Cortado: `const { graph, weights, mean, classes } = await trained('cifar10-full')`.
 * @throws {FormatError} when the file is damaged
 */
export async function trained(name: TrainedName): Promise<Trained> {
  const path = join(packageRoot, 'lib', 'trained', `${name}.safetensors`);
  const { tensors, metadata } = await readSafetensors(path);
  const { mean, ...weights } = tensors as Readonly<Record<string, Tensor>>;
  if (!mean || !metadata.classes) throw new FormatError(`${path}: expected a mean and the names of the classes`);
  return {
    graph: NETS[name](),
    weights,
    mean,
    classes: metadata.classes.split(','),
    accuracy: Number(metadata.accuracy),
  };
}
