import { setImmediate } from 'node:timers/promises';
import { UsageError } from '../errors.js';
import type { Image } from './decode.js';

/** Where an output pixel looks along one axis: weights of the input pixels from `first` on. */
interface Taps {
  readonly first: Int32Array;
  readonly weights: readonly Int32Array[];
}

/** Weights are whole numbers of 1/2^22: with 8-bit pixels every sum fits 31 bits. */
const BITS = 22;
const HALF = 1 << (BITS - 1);
/** Multiplications between two pauses: about a millisecond. */
const PAUSE = 5e5;

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
  const rows = await alongRows(image, width);
  return alongColumns(rows, height);
}

async function alongRows({ data, width: from, height }: Image, width: number): Promise<Image> {
  const { first, weights } = taps(from, width);
  const made = new Uint8Array(3 * width * height);
  let work = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const own = weights[x]!;
      let at = 3 * (y * from + first[x]!);
      let [r, g, b] = [HALF, HALF, HALF];
      for (let i = 0; i < own.length; i++, at += 3) {
        r += own[i]! * data[at]!;
        g += own[i]! * data[at + 1]!;
        b += own[i]! * data[at + 2]!;
      }
      const to = 3 * (y * width + x);
      made[to] = r >> BITS;
      made[to + 1] = g >> BITS;
      made[to + 2] = b >> BITS;
    }
    work = await pause(work + 3 * from + 3 * width);
  }
  return { data: made, width, height };
}

async function alongColumns({ data, width, height: from }: Image, height: number): Promise<Image> {
  const { first, weights } = taps(from, height);
  const stride = 3 * width;
  const made = new Uint8Array(stride * height);
  const sums = new Int32Array(stride);
  let work = 0;
  for (let y = 0; y < height; y++) {
    sums.fill(HALF);
    weights[y]!.forEach((weight, i) => {
      const row = (first[y]! + i) * stride;
      for (let x = 0; x < stride; x++) sums[x]! += weight * data[row + x]!;
    });
    for (let x = 0; x < stride; x++) made[y * stride + x] = sums[x]! >> BITS;
    work = await pause(work + stride * (weights[y]!.length + 1));
  }
  return { data: made, width, height };
}

async function pause(work: number): Promise<number> {
  if (work < PAUSE) return work;
  await setImmediate();
  return 0;
}

/** The triangle around each output pixel's centre; at the borders what lies outside does not count. */
function taps(from: number, to: number): Taps {
  const scale = from / to;
  const reach = Math.max(1, scale);
  const first = new Int32Array(to);
  const weights = Array.from({ length: to }, (_, o) => {
    const centre = (o + 0.5) * scale - 0.5;
    const start = Math.max(0, Math.ceil(centre - reach));
    const end = Math.min(from - 1, Math.floor(centre + reach));
    first[o] = start;
    const exact = Array.from({ length: end - start + 1 }, (_, i) => 1 - Math.abs(start + i - centre) / reach);
    const total = exact.reduce((a, b) => a + b, 0);
    return wholeWeights(exact.map((w) => w / total));
  });
  return { first, weights };
}

/** Rounded so that they still add up to one: white stays white, and no sum can leave the range of a byte. */
function wholeWeights(exact: readonly number[]): Int32Array {
  const whole = Int32Array.from(exact, (w) => Math.round(w * 2 ** BITS));
  const excess = whole.reduce((a, b) => a + b, 0) - 2 ** BITS;
  const widest = whole.reduce((best, w, i) => (w > whole[best]! ? i : best), 0);
  whole[widest]! -= excess;
  return whole;
}
