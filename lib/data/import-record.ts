import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { FormatError } from '../errors.js';
import { decodeImage, resizeImage, type Image } from '../images/index.js';
import { pair, type Pair } from '../shape.js';
import { encodeDatum } from './datum.js';
import type { Pace } from './pace.js';
import { unreadable } from './place.js';
import { planesOf } from './planes.js';
import type { FileRef } from './sources/files.js';

/** How pictures can be kept encoded; `asis` keeps each file's own bytes. */
export const ENCODINGS = ['asis', 'jpg', 'png', 'webp'] as const;
export type Encoding = (typeof ENCODINGS)[number];

/** How a picture becomes a record. */
export interface RecordOptions {
  /** A number: the extent of the shorter side, the shape of the picture kept; a pair: exactly this height and width. Default: none. */
  readonly resize?: number | readonly [height: number, width: number];
  /** Stores one plane instead of blue, green, red. Default false. */
  readonly grey?: boolean;
  /** Stores encoded pictures instead of planes. Default: planes. */
  readonly encoding?: Encoding;
}

/** A record, or why there is none. */
export type Made =
  | { readonly path: string; readonly value: Uint8Array; readonly error?: never }
  | { readonly path: string; readonly value?: never; readonly error: FormatError };

/** Makes the record of a picture. What is wrong with the picture itself is returned. */
export async function makeRecord({ path, label }: FileRef, options: RecordOptions, pace: Pace): Promise<Made> {
  try {
    const { encoding } = options;
    const value = encoding
      ? await encodedRecord(path, label, encoding, options)
      : await plainRecord(path, label, options, pace);
    return { path, value };
  } catch (error) {
    if (error instanceof FormatError) return { path, error };
    throw error;
  }
}

async function plainRecord(path: string, label: number, options: RecordOptions, pace: Pace): Promise<Uint8Array> {
  const image = await resized(await decodeImage(path), options.resize);
  const data = await planesOf(image, options.grey ?? false, pace);
  const { width, height } = image;
  return encodeDatum({ channels: options.grey ? 1 : 3, height, width, data, label, encoded: false });
}

/** As Caffe's tools write them, encoded pictures do not say their extents. */
async function encodedRecord(
  path: string,
  label: number,
  encoding: Encoding,
  options: RecordOptions,
): Promise<Uint8Array> {
  const own = extname(path).slice(1).toLowerCase().replace('jpeg', 'jpg');
  const format = encoding === 'asis' ? own : encoding;
  if (options.resize === undefined && !options.grey && format === own) {
    const data = await readFile(path).catch((cause: unknown) => Promise.reject(unreadable(path, cause)));
    await decodeImage(data, { name: path });
    return encodeDatum({ data, label, encoded: true });
  }
  const { data, width, height } = await resized(await decodeImage(path), options.resize);
  const picture = sharp(data, { raw: { width, height, channels: 3 } });
  if (options.grey) picture.greyscale();
  const encoded = await encoderOf(picture, format).toBuffer();
  return encodeDatum({ data: encoded, label, encoded: true });
}

/** JPEG as good as OpenCV makes it by itself; formats that nothing here writes become PNG, which loses nothing. */
function encoderOf(picture: Sharp, format: string): Sharp {
  if (format === 'jpg') return picture.jpeg({ quality: 95 });
  return format === 'webp' ? picture.webp({ lossless: true }) : picture.png();
}

async function resized(image: Image, resize: number | Pair | undefined): Promise<Image> {
  if (resize === undefined) return image;
  const [height, width] = typeof resize === 'number' ? shorterSide(image, resize) : pair(resize, 'resize', 1);
  return resizeImage(image, width, height);
}

function shorterSide({ width, height }: Image, extent: number): readonly [number, number] {
  const scale = extent / Math.min(width, height);
  return [Math.max(1, Math.round(height * scale)), Math.max(1, Math.round(width * scale))];
}
