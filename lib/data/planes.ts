import type { Image } from '../images/index.js';
import type { Pace } from './pace.js';

/** Pixels between two looks at the clock. */
const STEP = 1 << 15;

/** Planes of a picture in the order of Caffe's databases: blue, green, red, or grey alone (ITU-R BT.601, as Caffe's tools mix it). */
export async function planesOf(image: Image, grey: boolean, pace: Pace): Promise<Uint8Array> {
  const size = image.width * image.height;
  const planes = new Uint8Array(grey ? size : 3 * size);
  for (let from = 0; from < size; from += STEP) {
    const to = Math.min(size, from + STEP);
    if (grey) mix(image.data, planes, from, to);
    else split(image.data, planes, from, to);
    if (pace.due) await pace.rest();
  }
  return planes;
}

function split(data: Uint8Array, planes: Uint8Array, from: number, to: number): void {
  const size = planes.length / 3;
  for (let i = from; i < to; i++) {
    planes[i] = data[3 * i + 2]!;
    planes[size + i] = data[3 * i + 1]!;
    planes[2 * size + i] = data[3 * i]!;
  }
}

function mix(data: Uint8Array, plane: Uint8Array, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    plane[i] = Math.round(0.299 * data[3 * i]! + 0.587 * data[3 * i + 1]! + 0.114 * data[3 * i + 2]!);
  }
}
