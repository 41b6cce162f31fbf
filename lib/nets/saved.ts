import { readNetText } from '../caffe/import/index.js';
import type { TransformOptions } from '../data/index.js';
import { FormatError } from '../errors.js';
import { readSafetensors } from '../formats/safetensors.js';
import type { Tensor } from '../tensor.js';
import type { OpenNet } from './open.js';
import { weightsOf } from './weights.js';

/** What a checkpoint says of the net that it belongs to, so that it can be used by itself. */
export interface Recipe {
  /** As a prototxt. */
  readonly net: string;
  readonly transform: TransformOptions;
  readonly classes: readonly string[] | undefined;
}

/** A trained net, from one file. */
export interface SavedNet extends OpenNet, Omit<Recipe, 'net'> {}

/** Notes for checkpoints. */
export function withRecipe({ net, transform, classes }: Recipe): Record<string, string> {
  return { net, transform: JSON.stringify(transform, plain), ...(classes && { classes: JSON.stringify(classes) }) };
}

/** Opens a checkpoint of `cortado train --net`. @throws {FormatError} for a file that does not say what net it is of */
export async function openSaved(path: string): Promise<SavedNet> {
  const { metadata } = await readSafetensors(path);
  const { net: text, transform, classes } = metadata;
  if (text === undefined || transform === undefined)
    throw new FormatError(
      `${path}: expected a checkpoint of "cortado train --net", which says of what net it is; give --model`,
    );
  const net = await readNetText(text, { file: path });
  return {
    ...net,
    weights: await weightsOf(net, path),
    transform: JSON.parse(transform, tensors) as TransformOptions,
    classes: classes === undefined ? undefined : (JSON.parse(classes) as string[]),
  };
}

/** A picture of means in JSON. */
function plain(_key: string, value: unknown): unknown {
  return ArrayBuffer.isView(value) ? Array.from(value as Float32Array) : value;
}

function tensors(_key: string, value: unknown): unknown {
  const { data, shape } = (value ?? {}) as Partial<Tensor>;
  return Array.isArray(data) && Array.isArray(shape) ? { data: Float32Array.from(data as number[]), shape } : value;
}
