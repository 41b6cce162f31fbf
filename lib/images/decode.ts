import { readFile } from 'node:fs/promises';
import type { Sharp } from 'sharp';
import { FormatError } from '../errors.js';

/** A picture in memory: rows from the top, pixels from the left, red, green, blue of each, 0 to 255. */
export interface Image {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** How a picture is decoded. */
export interface DecodeOptions {
  /** Name to show in errors. Default: the path, or `image` for bytes. */
  readonly name?: string;
  /** Refuses larger pictures before they are decoded: a small file can claim any size. Default 100 million pixels. */
  readonly maxPixels?: number;
}

const MAX_PIXELS = 100_000_000;

/** Rows of pixels, each of red, green and blue, or of grey alone. */
export interface Pixels extends Image {
  readonly channels: 1 | 3;
}

type Extents = readonly [height: number, width: number];

/** A picture whose header has been read. */
export interface OpenedImage {
  /** As it is shown: a camera's orientation applied. */
  readonly width: number;
  readonly height: number;
  /** Whether it is stored without colours. */
  readonly grey: boolean;
  /**
   * Decodes it, as decodeImage() does. A picture to be resized to `target` may come halved one to three times, as long
   * as it stays twice as large: JPEG then takes a fraction of the time. @throws {FormatError}
   */
  decode(target?: Extents): Promise<Pixels>;
}

/**
 * Decodes a file (its path) or its bytes: JPEG, PNG, WebP, GIF, AVIF, TIFF, SVG. As in Caffe's tools the stored colours
 * count, whatever colour profile the file carries. Of an animation the first picture is taken; CMYK and grey become
 * RGB, 16 bits become 8, transparency shows white, and a camera's orientation is applied. Works off the event loop.
 * @throws {FormatError} that names the picture when it is missing, damaged, too large or no picture
 */
export async function decodeImage(input: string | Uint8Array, options: DecodeOptions = {}): Promise<Image> {
  const opened = await openImage(input, options);
  const { data, width, height, channels } = await opened.decode();
  return { data: channels === 3 ? data : spread(data), width, height };
}

/** Reads the header of a picture: decodeImage() in two steps. @throws {FormatError} */
export async function openImage(input: string | Uint8Array, options: DecodeOptions = {}): Promise<OpenedImage> {
  const name = options.name ?? (typeof input === 'string' ? input : 'image');
  const bytes = typeof input === 'string' ? await contents(input, name) : input;
  // Not before there is a picture: a program without any, such as a single executable, needs no sharp.
  const { default: sharp } = await import('sharp');
  const settings = { failOn: 'error', limitInputPixels: options.maxPixels ?? MAX_PIXELS, autoOrient: true } as const;
  const { space, autoOrient, hasAlpha } = await told(name, () => sharp(bytes, settings).metadata());
  // The profile of CMYK is needed: there is no other road from ink to light.
  const open = (): Sharp => {
    const picture = sharp(bytes, { ...settings, ignoreIcc: space !== 'cmyk' });
    return hasAlpha ? picture.flatten({ background: 'white' }) : picture;
  };
  return {
    ...autoOrient,
    grey: space === 'b-w' || space === 'grey16',
    decode: (target) => told(name, () => pixelsOf(open(), target && halved(autoOrient, target))),
  };
}

/** What a picture may come as for a target. */
function halved({ height, width }: { height: number; width: number }, target: Extents): Extents | undefined {
  const times = [8, 4, 2].find((n) => height >= 2 * n * target[0] && width >= 2 * n * target[1]);
  return times === undefined ? undefined : [Math.ceil(height / times), Math.ceil(width / times)];
}

async function pixelsOf(picture: Sharp, extents: Extents | undefined): Promise<Pixels> {
  picture.toColourspace('srgb');
  if (extents) picture.resize({ height: extents[0], width: extents[1], fit: 'fill', kernel: 'linear' });
  const { data, info } = await picture.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  return info.channels === 3 ? { data, width, height, channels: 3 } : firstOf(data, info);
}

/** The first of the channels of grey pictures: there may be something behind it. */
function firstOf(data: Uint8Array, { width, height }: { readonly width: number; readonly height: number }): Pixels {
  const step = data.length / (width * height);
  const made = step === 1 ? data : Uint8Array.from({ length: width * height }, (_, i) => data[i * step]!);
  return { data: made, width, height, channels: 1 };
}

/** Read here rather than by sharp: what it says of files that fail at the same time gets mixed up. */
async function contents(path: string, name: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR');
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(`${name}: ${missing ? 'no such file' : `cannot be read: ${reason}`}`, { cause });
  }
}

async function told<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(`${name}: ${explain(reason)}`, { cause });
  }
}

/** Red, green and blue from grey. */
function spread(grey: Uint8Array): Uint8Array {
  const made = new Uint8Array(3 * grey.length);
  for (let i = 0; i < grey.length; i++) made.fill(grey[i]!, 3 * i, 3 * i + 3);
  return made;
}

function explain(reason: string): string {
  if (/unsupported image format|empty|Expected valid/i.test(reason)) {
    return 'not a picture: expected JPEG, PNG, WebP, GIF, AVIF, TIFF or SVG';
  }
  if (/pixel limit/i.test(reason)) return 'too large a picture: more pixels than maxPixels allows';
  const lines = reason.split('\n').map((line) => line.replace(/^Input (file|buffer) has corrupt header:/, '').trim());
  return `a damaged picture: ${[...new Set(lines.filter((line) => line !== ''))].join('; ') || 'no valid header'}`;
}
