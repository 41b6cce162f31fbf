import { cutPlanes, type Cut, type CutOptions } from './cut.js';
import type { Image } from './decode.js';
import { meanWindows, normalization, type Normalization, type NormalizeOptions } from './normalization.js';

export interface PreprocessOptions extends CutOptions, NormalizeOptions {}

/**
 * What a net wants of a picture: resized, cropped, planes of (pixel − mean) · scale, in C order as (C, H, W), or
 * (10, C, H, W) with `oversample`.
 * @throws {ShapeError} for a crop that is larger than the picture, or a mean that does not fit
 */
export async function preprocess(image: Image, options: PreprocessOptions = {}): Promise<Float32Array> {
  const cut = await cutPlanes(image, options);
  const [, ...picture] = cut.shape as [number, number, number, number];
  return normalize(cut, normalization(options, picture));
}

function normalize(cut: Cut, { mean, scale }: Normalization): Float32Array {
  const [, channels, height, width] = cut.shape as [number, number, number, number];
  const size = height * width;
  const [, h = 1, w = 1] = mean.shape;
  const made = new Float32Array(cut.data.length);
  meanWindows(cut, mean.shape).forEach(({ top, left, mirrored }, i) => {
    for (let c = 0; c < channels; c++) {
      for (let p = 0, at = (i * channels + c) * size; p < size; p++, at++) {
        const x = mirrored ? width - 1 - (p % width) : p % width;
        const own = mean.shape.length === 1 ? c : (c * h + top + Math.floor(p / width)) * w + left + x;
        made[at] = (cut.data[at]! - mean.data[own]!) * scale[c]!;
      }
    }
  });
  return made;
}
