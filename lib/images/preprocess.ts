import { ShapeError, UsageError } from '../errors.js';
import { pair, type Pair } from '../shape.js';
import type { Tensor, TensorData } from '../tensor.js';
import type { Image } from './decode.js';
import type { Mean } from './mean.js';
import { resizeImage } from './resize.js';

export interface PreprocessOptions {
  /** Extents to resize to, the shape of the picture notwithstanding. Default: none. */
  readonly resize?: Pair;
  /** Extents to cut out of the middle. Default: everything. */
  readonly crop?: Pair;
  /**
   * Subtracted before scaling. A picture of means covers the resized picture and is cut where that is cut; of other
   * extents, it is cut out of its own middle. Default 0.
   */
  readonly mean?: Mean;
  /** Factor after the mean is taken off, one for all or one for each channel. Default 1: 0 to 255. */
  readonly scale?: number | readonly number[];
  /** Caffe's nets take blue, green, red; those of most other frameworks red, green, blue. Default `bgr`. */
  readonly channelOrder?: 'bgr' | 'rgb' | 'grey';
  /** Ten crops instead of one: the four corners and the middle, and these mirrored. Needs `crop`. */
  readonly oversample?: boolean;
}

interface Window {
  readonly top: number;
  readonly left: number;
  readonly mirrored: boolean;
}

/** Where red, green and blue go, as weights; grey as ITU-R BT.601 mixes it, which is how Caffe's tools read grey. */
const PLANES = {
  bgr: [2, 1, 0],
  rgb: [0, 1, 2],
  grey: [undefined],
} as const;

/**
 * What a net wants of a picture: resized, cropped, planes of (pixel − mean) · scale, in C order as (C, H, W), or
 * (10, C, H, W) with `oversample`.
 * @throws {ShapeError} for a crop that is larger than the picture, or a mean that does not fit
 */
export async function preprocess(image: Image, options: PreprocessOptions = {}): Promise<Float32Array> {
  const [tall, wide] = pair(options.resize ?? [image.height, image.width], 'resize', 1);
  const resized = await resizeImage(image, wide, tall);
  const [height, width] = pair(options.crop ?? [tall, wide], 'crop', 1);
  if (height > tall || width > wide) {
    throw new ShapeError(`crop: expected at most ${tall}x${wide}, the size of the picture, got ${height}x${width}`);
  }
  const planes = PLANES[options.channelOrder ?? 'bgr'];
  const windows = options.oversample ? tenWindows(resized, height, width) : [middle(resized, height, width)];
  const size = planes.length * height * width;
  const made = new Float32Array(windows.length * size);
  const meanOf = meanAt(options.mean ?? 0, planes.length, resized, height, width);
  const scaleOf = scales(options.scale ?? 1, planes.length);
  windows.forEach((window, i) => {
    const out = made.subarray(i * size, (i + 1) * size);
    planes.forEach((channel, c) => {
      const plane = out.subarray(c * height * width, (c + 1) * height * width);
      cut(resized, window, width, channel, plane);
      meanOf(plane, c, window, scaleOf[c]!);
    });
  });
  return made;
}

/** Copies one plane of a window; `undefined` means grey. */
function cut(image: Image, window: Window, width: number, channel: number | undefined, plane: Float32Array): void {
  for (let i = 0; i < plane.length; i++) {
    const y = Math.floor(i / width);
    const x = window.mirrored ? width - 1 - (i % width) : i % width;
    const at = 3 * ((window.top + y) * image.width + window.left + x);
    plane[i] = channel === undefined ? grey(image.data, at) : image.data[at + channel]!;
  }
}

function grey(data: Uint8Array, at: number): number {
  return Math.round(0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]!);
}

/** Floors, as Caffe does (data_transformer.cpp). */
function middle(image: { readonly width: number; readonly height: number }, height: number, width: number): Window {
  return { top: (image.height - height) >> 1, left: (image.width - width) >> 1, mirrored: false };
}

function tenWindows(image: Image, height: number, width: number): Window[] {
  const [bottom, right] = [image.height - height, image.width - width];
  const corners = [0, bottom].flatMap((top) => [0, right].map((left) => ({ top, left, mirrored: false })));
  const plain = [...corners, middle(image, height, width)];
  return [...plain, ...plain.map((window) => ({ ...window, mirrored: true }))];
}

type Finish = (plane: Float32Array, channel: number, window: Window, scale: number) => void;

function meanAt(mean: Mean, channels: number, image: Image, height: number, width: number): Finish {
  if (typeof mean === 'object' && 'shape' in mean) return meanPicture(mean, channels, image, height, width);
  const means = typeof mean === 'number' || mean.length !== 1 ? mean : mean[0]!;
  if (typeof means === 'object' && means.length !== channels) {
    throw new ShapeError(`mean: expected ${channels} numbers, one for each channel, got ${means.length}`);
  }
  return (plane, channel, _window, scale) => {
    const own = typeof means === 'number' ? means : means[channel]!;
    for (let i = 0; i < plane.length; i++) plane[i] = (plane[i]! - own) * scale;
  };
}

/** Taken off before the cut and the mirroring, so that each pixel meets the mean of its own place in the picture. */
function meanPicture(
  { data, shape }: Tensor<TensorData>,
  channels: number,
  image: Image,
  height: number,
  width: number,
): Finish {
  const [c, h = 0, w = 0] = shape;
  if (shape.length !== 3 || c !== channels || h < height || w < width) {
    throw new ShapeError(`mean: expected at least (${channels}, ${height}, ${width}), got (${shape.join(', ')})`);
  }
  const whole = h === image.height && w === image.width;
  const own = middle({ height: h, width: w }, height, width);
  return (plane, channel, window, scale) => {
    const { top, left } = whole ? window : own;
    for (let i = 0; i < plane.length; i++) {
      const x = window.mirrored ? width - 1 - (i % width) : i % width;
      const at = (channel * h + top + Math.floor(i / width)) * w + left + x;
      plane[i] = (plane[i]! - data[at]!) * scale;
    }
  };
}

function scales(scale: number | readonly number[], channels: number): readonly number[] {
  const all = typeof scale === 'number' ? Array.from({ length: channels }, () => scale) : scale;
  if (all.length === channels && all.every((s) => Number.isFinite(s))) return all;
  throw new UsageError(`scale: expected one finite number, or ${channels}, got ${all.join(', ')}`);
}
