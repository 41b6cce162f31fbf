import { ShapeError, UsageError } from '../errors.js';
import type { Images } from '../pixels.js';
import type { Cut, Window } from './cut.js';
import { middle } from './cut.js';
import type { Mean } from './mean.js';

/** What is done to the numbers of a picture. */
export interface NormalizeOptions {
  /**
   * Subtracted before scaling. A picture of means covers the resized picture and is cut where that is cut; of other
   * extents, it is cut out of its own middle. Default 0.
   */
  readonly mean?: Mean;
  /** Factor after the mean is taken off, one for all or one for each channel. Default 1: 0 to 255. */
  readonly scale?: number | readonly number[];
}

/** The same, spelled out for a number of channels: what native code takes with the pixels. */
export type Normalization = Pick<Images, 'mean' | 'scale'>;

/**
 * Checks a mean and a scale against pictures of (channels, height, width).
 * @throws {ShapeError} for a mean that does not fit
 * @throws {UsageError} for a scale that is no number
 */
export function normalization(
  { mean = 0, scale = 1 }: NormalizeOptions,
  [channels, height, width]: readonly [number, number, number],
): Normalization {
  const factors = typeof scale === 'number' ? Array.from({ length: channels }, () => scale) : scale;
  if (factors.length !== channels || !factors.every((s) => Number.isFinite(s)))
    throw new UsageError(`scale: expected one finite number, or ${channels}, got ${factors.join(', ')}`);
  if (typeof mean === 'object' && 'shape' in mean) {
    const [c, h = 0, w = 0] = mean.shape;
    if (mean.shape.length !== 3 || c !== channels || h < height || w < width)
      throw new ShapeError(
        `mean: expected at least (${channels}, ${height}, ${width}), got (${mean.shape.join(', ')})`,
      );
    return { mean: { data: Float32Array.from(mean.data), shape: mean.shape }, scale: Float32Array.from(factors) };
  }
  const means = typeof mean === 'number' ? [mean] : mean;
  if (means.length !== 1 && means.length !== channels)
    throw new ShapeError(`mean: expected ${channels} numbers, one for each channel, got ${means.length}`);
  const data = Float32Array.from({ length: channels }, (_, c) => means[c] ?? means[0]!);
  return { mean: { data, shape: [channels] }, scale: Float32Array.from(factors) };
}

/** Cuts of one shape as an input of a model, which normalizes them on their way in. */
export function toImages(cuts: readonly [Cut, ...Cut[]], { mean, scale }: Normalization): Images {
  const [, ...picture] = cuts[0].shape;
  const rows = cuts.reduce((sum, { windows }) => sum + windows.length, 0);
  const data = new Uint8Array(cuts.reduce((sum, cut) => sum + cut.data.length, 0));
  const windows = mean.shape.length === 3 ? new Int32Array(3 * rows) : undefined;
  let [at, row] = [0, 0];
  for (const cut of cuts) {
    data.set(cut.data, at);
    at += cut.data.length;
    for (const { top, left, mirrored } of meanWindows(cut, mean.shape))
      windows?.set([top, left, Number(mirrored)], 3 * row++);
  }
  return { data, shape: [rows, ...picture], mean, scale, ...(windows && { windows }) };
}

/** Where each cut lies in the means: its own place in a picture of means of the whole, else the middle. */
export function meanWindows(cut: Cut, meanShape: readonly number[]): readonly Window[] {
  const [, h = 1, w = 1] = meanShape;
  if (meanShape.length !== 3 || (h === cut.height && w === cut.width)) return cut.windows;
  const own = middle({ height: h, width: w }, cut.shape[2]!, cut.shape[3]!);
  return cut.windows.map(({ mirrored }) => ({ ...own, mirrored }));
}
