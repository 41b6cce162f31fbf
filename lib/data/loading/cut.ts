import type { Pixels } from '../../images/decode.js';
import type { Shape } from '../../shape.js';

/** Where planes are cut out. */
export interface Cut {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
  readonly mirrored: boolean;
}

export type Pixel = Uint8Array | Float32Array;

/** Which channel goes to which plane. */
const ORDERS = { bgr: [2, 1, 0], rgb: [0, 1, 2] } as const;

/** Copies a window of a decoded picture to planes in the net's order. Not for the main thread. */
export function cutPixels(picture: Pixels, cut: Cut, order: 'bgr' | 'rgb' | 'grey', out: Pixel): void {
  const size = cut.height * cut.width;
  if (order === 'grey' && picture.channels === 3) {
    mixPlane(picture, cut, out);
    return;
  }
  const channels = order === 'grey' ? [0] : picture.channels === 1 ? [0, 0, 0] : ORDERS[order];
  channels.forEach((channel, plane) => {
    cutPlane(picture, channel, cut, out.subarray(plane * size, (plane + 1) * size));
  });
}

function cutPlane({ data, width, channels }: Pixels, channel: number, cut: Cut, plane: Pixel): void {
  const step = cut.mirrored ? -channels : channels;
  const first = cut.mirrored ? cut.left + cut.width - 1 : cut.left;
  for (let y = 0, to = 0; y < cut.height; y++) {
    let from = channels * ((cut.top + y) * width + first) + channel;
    for (const end = to + cut.width; to < end; to++, from += step) plane[to] = data[from]!;
  }
}

/** Grey as ITU-R BT.601 mixes it, which is how Caffe's tools read grey. */
function mixPlane({ data, width }: Pixels, cut: Cut, plane: Pixel): void {
  const step = cut.mirrored ? -3 : 3;
  const first = cut.mirrored ? cut.left + cut.width - 1 : cut.left;
  for (let y = 0, to = 0; y < cut.height; y++) {
    let from = 3 * ((cut.top + y) * width + first);
    for (const end = to + cut.width; to < end; to++, from += step)
      plane[to] = Math.round(0.299 * data[from]! + 0.587 * data[from + 1]! + 0.114 * data[from + 2]!);
  }
}

/** Copies a window of planes. */
export function cutPlanes(pixels: Pixel, [channels, height, width]: Shape, cut: Cut, out: Pixel): void {
  for (let c = 0, to = 0; c < channels!; c++) {
    for (let y = 0; y < cut.height; y++, to += cut.width) {
      const from = (c * height! + cut.top + y) * width! + cut.left;
      const row = pixels.subarray(from, from + cut.width);
      if (cut.mirrored) for (let x = 0; x < cut.width; x++) out[to + x] = row[cut.width - 1 - x]!;
      else out.set(row, to);
    }
  }
}
