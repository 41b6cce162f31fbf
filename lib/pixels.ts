import { ShapeError, UsageError } from './errors.js';
import type { NativeImages } from './native.js';
import { count, format, type Shape } from './shape.js';

/**
 * Pictures as they are stored, and what a net wants of them: (x + shift − mean) · scale in float32, computed while they are
 * copied into a model's memory. Any input of shape (N, C, H, W) takes them.
 */
export interface Images {
  /** 0 to 255, or numbers of any size. */
  readonly data: Uint8Array | Float32Array;
  /** (N, C, H, W). */
  readonly shape: Shape;
  /** One number for each channel, or a picture (C, H, W) that may be larger than these. */
  readonly mean: { readonly data: Float32Array; readonly shape: Shape };
  /** One factor for each channel. */
  readonly scale: Float32Array;
  /** Where each picture lies in a picture of means: top, left, and whether it is mirrored (0 or 1). Default: top left. */
  readonly windows?: Int32Array;
  /** Added to each channel of each picture. Default 0. */
  readonly shift?: Float32Array;
}

export function isImages(feed: object): feed is Images {
  return 'mean' in feed && 'scale' in feed;
}

/** What native code needs of pictures. @throws {ShapeError | UsageError} */
export function checkImages(name: string, images: Images): NativeImages {
  const { data, shape, mean, scale, windows, shift } = images;
  if (!(data instanceof Uint8Array || data instanceof Float32Array))
    throw new UsageError(`${name}: expected pictures as a Uint8Array or Float32Array`);
  if (shape.length !== 4 || count(shape) !== data.length)
    throw new ShapeError(`${name}: expected ${data.length} pixels as (N, C, H, W), got shape ${format(shape)}`);
  const [n, channels, height, width] = shape as [number, number, number, number];
  const [meanHeight, meanWidth] = meanExtents(name, mean, [channels, height, width]);
  const parts = { 'mean.data': mean.data, scale, windows, shift };
  const lengths = { 'mean.data': count(mean.shape), scale: channels, windows: 3 * n, shift: channels * n };
  for (const [what, length] of Object.entries(lengths) as [keyof typeof parts, number][]) {
    const part = parts[what];
    if (part === undefined && (what === 'windows' || what === 'shift')) continue;
    const fits = what === 'windows' ? part instanceof Int32Array : part instanceof Float32Array;
    if (!fits || part?.length !== length) {
      const type = what === 'windows' ? 'an Int32Array' : 'a Float32Array';
      throw new ShapeError(`${name}: expected ${what} to be ${type} of ${length}, got ${part?.length ?? 'none'}`);
    }
  }
  return { data, channels, height, width, mean: mean.data, meanHeight, meanWidth, scale, windows, shift };
}

function meanExtents(name: string, { shape }: Images['mean'], picture: Shape): readonly [number, number] {
  const [c, h = 1, w = 1] = shape;
  const fits = shape.length === 3 ? h >= picture[1]! && w >= picture[2]! : shape.length === 1;
  if (fits && c === picture[0]) return [h, w];
  throw new ShapeError(
    `${name}: expected a mean of shape (${picture[0]}) or at least ${format(picture)}, got ${format(shape)}`,
  );
}
