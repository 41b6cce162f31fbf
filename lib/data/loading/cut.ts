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

/** Copies a window of planes. Not for the main thread. */
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
