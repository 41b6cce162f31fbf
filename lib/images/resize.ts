import { setImmediate } from 'node:timers/promises';
import { UsageError } from '../errors.js';
import { cutPicture } from '../native.js';
import type { Image } from './decode.js';

/** Multiplications between two pauses: two or three milliseconds. */
const PAUSE = 4e6;

/**
 * Resizes to exactly `width` × `height` by bilinear interpolation whose triangle widens when shrinking, so that every
 * pixel counts; first along rows, then along columns, with 8 bits between. Libraries differ visibly in what they call
 * bilinear: this is the one that the published answers of Caffe's ImageNet nets are made with. Pauses for the event
 * loop.
 * @throws {UsageError} unless both extents are whole numbers of at least 1
 */
export async function resizeImage(image: Image, width: number, height: number): Promise<Image> {
  for (const [what, value] of Object.entries({ width, height })) {
    if (!(Number.isSafeInteger(value) && value >= 1 && value <= 1 << 16)) {
      throw new UsageError(`resizeImage: expected ${what} to be a whole number from 1 to 65536, got ${value}`);
    }
  }
  if (width === image.width && height === image.height) return image;
  const data = new Uint8Array(3 * width * height);
  const rows = rowsBetween(image, width, height);
  for (let top = 0; top < height; top += rows) {
    if (top > 0) await setImmediate();
    const end = Math.min(height, top + rows);
    cutPicture({
      ...{ data: image.data, channels: 3, height: image.height, width: image.width, resized: [height, width] },
      ...{ extents: [end - top, width], windows: Int32Array.of(top, 0, 0) },
      out: data.subarray(3 * width * top, 3 * width * end),
    });
  }
  return { data, width, height };
}

/** Rows of the result that take PAUSE multiplications. */
function rowsBetween(image: Image, width: number, height: number): number {
  // Each output pixel looks at two inputs' breadth, of its own or of the inputs' size.
  const along = (from: number, to: number): number => 2 * Math.max(1, from / to);
  const [across, down] = [along(image.width, width), along(image.height, height)];
  const one = 3 * width * (across * Math.max(1, image.height / height) + down);
  return Math.max(1, Math.floor(PAUSE / one));
}
