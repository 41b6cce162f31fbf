import sharp from 'sharp';
import { FormatError } from '../errors.js';

/** A picture in memory: rows from the top, pixels from the left, red, green, blue of each, 0 to 255. */
export interface Image {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

export interface DecodeOptions {
  /** Name to show in errors. Default: the path, or `image` for bytes. */
  readonly name?: string;
  /** Refuses larger pictures before they are decoded: a small file can claim any size. Default 100 million pixels. */
  readonly maxPixels?: number;
}

const MAX_PIXELS = 100_000_000;

/**
 * Decodes a file (its path) or its bytes: JPEG, PNG, WebP, GIF, AVIF, TIFF, SVG. As in Caffe's tools the stored colours
 * count, whatever colour profile the file carries. Of an animation the first picture is taken; CMYK and grey become
 * RGB, 16 bits become 8, transparency shows white, and a camera's orientation is applied. Works off the event loop.
 * @throws {FormatError} that names the picture when it is missing, damaged, too large or no picture
 */
export async function decodeImage(input: string | Uint8Array, options: DecodeOptions = {}): Promise<Image> {
  const name = options.name ?? (typeof input === 'string' ? input : 'image');
  const settings = { failOn: 'error', limitInputPixels: options.maxPixels ?? MAX_PIXELS, autoOrient: true } as const;
  try {
    // The profile of CMYK is needed: there is no other road from ink to light.
    const { space } = await sharp(input, settings).metadata();
    const { data, info } = await sharp(input, { ...settings, ignoreIcc: space !== 'cmyk' })
      .flatten({ background: 'white' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const pixels = info.width * info.height;
    return { data: info.channels === 3 ? data : spread(data, pixels), width: info.width, height: info.height };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(`${name}: ${explain(reason)}`, { cause });
  }
}

/** Three channels from a picture with one, or with one and something behind it. */
function spread(data: Uint8Array, pixels: number): Uint8Array {
  const channels = data.length / pixels;
  const made = new Uint8Array(3 * pixels);
  for (let i = 0; i < pixels; i++) made.fill(data[i * channels]!, 3 * i, 3 * i + 3);
  return made;
}

function explain(reason: string): string {
  if (reason.startsWith('Input file is missing')) return 'no such file';
  if (/is a directory|unable to open for read/i.test(reason)) return 'cannot be read';
  if (/unsupported image format|empty|Expected valid/i.test(reason)) {
    return 'not a picture: expected JPEG, PNG, WebP, GIF, AVIF, TIFF or SVG';
  }
  if (/pixel limit/i.test(reason)) return 'too large a picture: more pixels than maxPixels allows';
  const lines = reason.split('\n').map((line) => line.replace(/^Input (file|buffer) has corrupt header:/, '').trim());
  return `a damaged picture: ${[...new Set(lines.filter((line) => line !== ''))].join('; ') || 'no valid header'}`;
}
