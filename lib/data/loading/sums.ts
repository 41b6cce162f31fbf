import type { Shape } from '../../shape.js';
import { count } from '../../shape.js';
import type { Pixel } from './cut.js';

/** Adds up pictures (N, C, H, W), pixel by pixel. Not for the main thread. */
export function sumPixels(pixels: Pixel, shape: Shape, pictures: number): Float64Array {
  const size = count(shape);
  const sums = new Float64Array(size);
  for (let n = 0; n < pictures; n++) {
    const picture = pixels.subarray(n * size, (n + 1) * size);
    for (let i = 0; i < size; i++) sums[i]! += picture[i]!;
  }
  return sums;
}

/** Adds up the products of the channels, and of 1, over the pixels of pictures (N, C, H, W). Not for the main thread. */
export function sumColours(pixels: Pixel, shape: Shape, pictures: number): Float64Array {
  const channels = shape[0]!;
  const plane = count(shape, 1);
  const products = new Float64Array((channels + 1) ** 2);
  const planeOf = (n: number, c: number): Pixel | undefined =>
    c < channels ? pixels.subarray((n * channels + c) * plane, (n * channels + c + 1) * plane) : undefined;
  for (let a = 0; a <= channels; a++) {
    for (let b = a; b <= channels; b++) {
      let sum = 0;
      for (let n = 0; n < pictures; n++) sum += dot(planeOf(n, a), planeOf(n, b), plane);
      products[a * (channels + 1) + b] = products[b * (channels + 1) + a] = sum;
    }
  }
  return products;
}

function dot(a: Pixel | undefined, b: Pixel | undefined, length: number): number {
  if (!a) return length;
  let sum = 0;
  for (let i = 0; i < length; i++) sum += a[i]! * (b ? b[i]! : 1);
  return sum;
}
