import { ShapeError, UsageError } from '../../errors.js';
import type { Mean } from '../../images/index.js';
import type { Images } from '../../pixels.js';
import { format, type Shape } from '../../shape.js';
import type { TransformOptions } from '../transform.js';

/** What is the same for all batches. */
export type Normal = Pick<Images, 'mean' | 'scale'>;

/** Height and width of a picture of means. */
export function extentsOf(mean: Mean | undefined): readonly [number, number] | undefined {
  if (typeof mean !== 'object' || !('shape' in mean) || mean.shape.length !== 3) return undefined;
  return [mean.shape[1]!, mean.shape[2]!];
}

/** How native code is to normalize pictures of a shape (C, H, W). @throws {ShapeError | UsageError} */
export function normalOf({ mean = 0, scale = 1 }: TransformOptions, shape: Shape): Normal {
  const channels = shape[0]!;
  const scales = spread(typeof scale === 'number' ? [scale] : scale, channels, 'scale');
  if (typeof mean === 'object' && 'shape' in mean) return { mean: pictureOf(mean, shape), scale: scales };
  const means = spread(typeof mean === 'number' ? [mean] : mean, channels, 'mean');
  return { mean: { data: means, shape: [channels] }, scale: scales };
}

function spread(values: readonly number[], channels: number, what: string): Float32Array {
  if (!values.every((value) => Number.isFinite(value)))
    throw new UsageError(`${what}: expected finite numbers, got ${values.join(', ')}`);
  if (values.length === 1) return new Float32Array(channels).fill(values[0]!);
  if (values.length === channels) return Float32Array.from(values);
  throw new ShapeError(`${what}: expected 1 or ${channels} numbers, one for each channel, got ${values.length}`);
}

function pictureOf({ data, shape }: Exclude<Mean, number | readonly number[]>, picture: Shape): Normal['mean'] {
  const [c, h = 0, w = 0] = shape;
  if (shape.length !== 3 || c !== picture[0] || h < picture[1]! || w < picture[2]!)
    throw new ShapeError(`mean: expected a picture of at least ${format(picture)}, got ${format(shape)}`);
  return { data: data instanceof Float32Array ? data : Float32Array.from(data), shape };
}
