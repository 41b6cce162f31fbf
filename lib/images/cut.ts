import { cutPicture, GREY } from '../native.js';
import { check, pair, type Pair, type Shape } from '../shape.js';
import type { Image } from './decode.js';
import { resizeImage } from './resize.js';

/** Which pixels of a picture a net looks at. */
export interface CutOptions {
  /** Extents to resize to, the shape of the picture notwithstanding (but see `keepAspect`). Default: none. */
  readonly resize?: Pair;
  /** The first extent of `resize` is that of the shorter side, and the other follows: as torchvision's nets are fed. Default false. */
  readonly keepAspect?: boolean;
  /** Extents to cut out of the middle. Default: everything. */
  readonly crop?: Pair;
  /** Caffe's nets take blue, green, red; those of most other frameworks red, green, blue. Default `bgr`. */
  readonly channelOrder?: 'bgr' | 'rgb' | 'grey';
  /** Ten crops instead of one: the four corners and the middle, and these mirrored. Needs `crop`. */
  readonly oversample?: boolean;
}

/** Where a cut lies in the resized picture. */
export interface Window {
  readonly top: number;
  readonly left: number;
  readonly mirrored: boolean;
}

/** Planes of bytes, one picture for each window. */
export interface Cut {
  readonly data: Uint8Array;
  /** (windows, C, H, W). */
  readonly shape: Shape;
  readonly windows: readonly Window[];
  /** Of the resized picture. */
  readonly width: number;
  readonly height: number;
}

/** Which of red, green and blue each plane takes. */
const PLANES = { bgr: [2, 1, 0], rgb: [0, 1, 2], grey: [GREY] } as const;

/** Cuts from a picture what a net looks at. @throws {ShapeError} for a crop that is larger than the picture */
export async function cutPlanes(image: Image, options: CutOptions = {}): Promise<Cut> {
  const [tall, wide] = resized(image, options);
  const picture = await resizeImage(image, wide, tall);
  const [height, width] = pair(options.crop ?? [tall, wide], 'crop', 1);
  check(
    height <= tall && width <= wide,
    () => `crop: expected at most ${tall}x${wide}, the size of the picture, got ${height}x${width}`,
  );
  const planes = PLANES[options.channelOrder ?? 'bgr'];
  const windows = options.oversample ? tenWindows(picture, height, width) : [middle(picture, height, width)];
  const data = new Uint8Array(windows.length * planes.length * height * width);
  cutPicture({
    ...{ data: picture.data, channels: 3, height: tall, width: wide, resized: [tall, wide] },
    ...{ extents: [height, width], planes, out: data },
    windows: Int32Array.from(windows.flatMap(({ top, left, mirrored }) => [top, left, Number(mirrored)])),
  });
  return { data, shape: [windows.length, planes.length, height, width], windows, width: wide, height: tall };
}

function resized(image: Image, { resize, keepAspect }: CutOptions): readonly [number, number] {
  const [tall, wide] = pair(resize ?? [image.height, image.width], 'resize', 1);
  if (resize === undefined || !keepAspect) return [tall, wide];
  // torchvision rounds the longer side down.
  const longer = Math.floor((tall * Math.max(image.width, image.height)) / Math.min(image.width, image.height));
  return image.height < image.width ? [tall, longer] : [longer, tall];
}

/** Floors, as Caffe does (data_transformer.cpp). */
export function middle(
  image: { readonly width: number; readonly height: number },
  height: number,
  width: number,
): Window {
  return { top: (image.height - height) >> 1, left: (image.width - width) >> 1, mirrored: false };
}

function tenWindows(image: Image, height: number, width: number): Window[] {
  const [bottom, right] = [image.height - height, image.width - width];
  const corners = [0, bottom].flatMap((top) => [0, right].map((left) => ({ top, left, mirrored: false })));
  const plain = [...corners, middle(image, height, width)];
  return [...plain, ...plain.map((window) => ({ ...window, mirrored: true }))];
}
