import { readBinaryproto } from '../caffe/binaryproto.js';
import { FormatError, UsageError } from '../errors.js';
import { readNpy } from '../npy.js';
import type { Shape } from '../shape.js';
import type { Tensor, TensorData } from '../tensor.js';

/** What is taken from the pixels: a number for every channel, one for all, or a picture (C, H, W) of means. */
export type Mean = number | readonly number[] | Tensor<TensorData>;

/**
 * Reads a mean as people write it: `104,117,123`, a `.npy` file of (C), (C, H, W) or (1, C, H, W), or Caffe's
 * `.binaryproto`. Channels are in the order of the net's input, which for Caffe's nets is blue, green, red.
 * @throws {UsageError | FormatError}
 */
export async function readMean(text: string): Promise<Mean> {
  if (/^[\d\s.,+-]+(e[+-]?\d+)?$/i.test(text)) return numbers(text);
  const blob: Tensor<TensorData> = text.endsWith('.npy') ? await readNpy(text) : await readBinaryproto(text);
  const shape = withoutBatch(blob.shape);
  if (shape.length === 1) return Array.from(blob.data);
  if (shape.length !== 3) {
    throw new FormatError(`${text}: expected a mean of shape (C, H, W), got (${blob.shape.join(', ')})`);
  }
  return { data: blob.data, shape };
}

function numbers(text: string): readonly number[] {
  const values = text.split(',').map((word) => (word.trim() === '' ? NaN : Number(word)));
  if (values.every((value) => Number.isFinite(value))) return values;
  throw new UsageError(`mean: expected numbers such as 104,117,123, or a file, got "${text}"`);
}

function withoutBatch(shape: Shape): Shape {
  return shape.length === 4 && shape[0] === 1 ? shape.slice(1) : shape;
}
