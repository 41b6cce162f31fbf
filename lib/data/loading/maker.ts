import { readFileSync } from 'node:fs';
import { FormatError, ShapeError, UsageError } from '../../errors.js';
import { openImage, type OpenedImage } from '../../images/decode.js';
import { cutPicture, GREY } from '../../native.js';
import { count, format, pair, same, type Shape } from '../../shape.js';
import type { Item } from '../dataset.js';
import { unreadable } from '../place.js';
import { cutPlanes, type Cut, type Pixel } from './cut.js';
import { Draw } from './draw.js';
import { checkLabel } from './labels.js';
import { CROPS, type Form, type Piece, type Position, type Setup } from './piece.js';

/** Room for the results of some pictures, one crop behind the other. */
export interface Rooms extends Pick<Piece, 'pixels' | 'labels' | 'windows' | 'shift'> {
  /** Of one of them. */
  room(index: number): Room;
}

type Room = Omit<Rooms, 'room'>;

type Extents = readonly [height: number, width: number];

/** A picture that is ready to be cut. */
interface Source {
  readonly channels: number;
  readonly floats: boolean;
  /** After resizing. */
  readonly extents: Extents;
  /** Copies windows to planes, one behind the other: of bytes unless `floats`. */
  cut(cuts: readonly Cut[], out: Pixel): void | Promise<void>;
}

/** Which channel goes to which plane. */
const ORDERS = { bgr: [2, 1, 0], rgb: [0, 1, 2] } as const;

/** Longest side of a resized picture. */
const MOST_SIDE = 65536;

/** Makes pictures for a net of items. Reads and computes synchronously: not for the main thread. */
export class PictureMaker {
  readonly #jitter: number;
  /** Pictures made of one. */
  readonly crops: number;

  constructor(readonly setup: Setup) {
    this.#jitter = setup.random ? (setup.transform.jitter ?? 0) : 0;
    this.crops = setup.oversample ? CROPS : 1;
  }

  rooms(pictures: number, form: Form): Rooms {
    const sizes = {
      pixels: this.crops * count(form.shape),
      labels: count(this.setup.labelShape),
      windows: 3 * this.crops,
      shift: this.crops * form.shape[0]!,
    };
    const pixels = new (form.floats ? Float32Array : Uint8Array)(pictures * sizes.pixels);
    const labels = new Float32Array(pictures * sizes.labels);
    const windows = new Int32Array(pictures * sizes.windows);
    const shift = this.#jitter ? new Float32Array(pictures * sizes.shift) : undefined;
    const part = <T extends Pixel | Int32Array>(whole: T, size: number, index: number): T =>
      whole.subarray(index * size, (index + 1) * size) as T;
    return {
      ...{ pixels, labels, windows, shift },
      room: (index) => ({
        pixels: part(pixels, sizes.pixels, index),
        labels: part(labels, sizes.labels, index),
        windows: part(windows, sizes.windows, index),
        shift: shift && part(shift, sizes.shift, index),
      }),
    };
  }

  /** What becomes of a picture. @throws {FormatError | ShapeError} */
  async form(item: Item): Promise<Form> {
    const { channels, floats, extents } = await this.#open(item);
    return { shape: [channels, ...this.#cropOf(extents, item.name)], floats };
  }

  /** @throws {FormatError | ShapeError} when the picture is damaged, or does not become one of this form */
  async make(item: Item, position: Position, form: Form, room: Room): Promise<void> {
    const source = await this.#open(item);
    const [height, width] = this.#cropOf(source.extents, item.name);
    const shape = [source.channels, height, width];
    if (!same(shape, form.shape)) {
      throw new ShapeError(
        `${item.name}: expected a picture of ${format(form.shape)} as the first one, got ${format(shape)}; resize and crop make them equal`,
      );
    }
    if (source.floats && !form.floats)
      throw new FormatError(
        `${item.name}: expected pixels of one byte as in the first picture, got floating-point ones`,
      );
    const draw = new Draw(this.setup.seed, position);
    const cuts = this.#cuts(source.extents, height, width, draw);
    const out = form.floats && !source.floats ? new Uint8Array(room.pixels.length) : room.pixels;
    await source.cut(cuts, out);
    if (out !== room.pixels) room.pixels.set(out);
    this.#place(cuts, source.extents, room.windows);
    const { components } = this.setup.transform;
    if (room.shift && components) room.shift.set(draw.shift(this.#jitter, components));
    const label = typeof item.label === 'number' ? [item.label] : item.label;
    if (label.length !== room.labels.length)
      throw new FormatError(`${item.name}: expected ${room.labels.length} numbers as its label, got ${label.length}`);
    room.labels.set(label);
    for (const value of label) checkLabel(item.name, value, this.setup.classes);
  }

  async #open({ name, picture }: Item): Promise<Source> {
    if ('pixels' in picture) return this.#stored(picture.pixels, picture.shape, name);
    const { encoded } = picture;
    return this.#encoded(await openImage(typeof encoded === 'string' ? read(encoded) : encoded, { name }), name);
  }

  #encoded(image: OpenedImage, name: string): Source {
    const { channelOrder = 'bgr' } = this.setup.transform;
    const order = channelOrder !== 'asis' ? channelOrder : image.grey ? 'grey' : 'bgr';
    const extents = this.#resized([image.height, image.width], name);
    return {
      channels: order === 'grey' ? 1 : 3,
      floats: false,
      extents,
      async cut(cuts, out) {
        const { data, channels, height, width } = await image.decode(extents);
        const planes = order === 'grey' ? (channels === 3 ? [GREY] : [0]) : channels === 1 ? [0, 0, 0] : ORDERS[order];
        const bytes = out as Uint8Array;
        cutPicture({ data, channels, height, width, resized: extents, ...placed(cuts), planes, out: bytes });
      },
    };
  }

  #stored(pixels: Pixel, shape: Shape, name: string): Source {
    if (shape.length !== 3 || count(shape) !== pixels.length)
      throw new FormatError(`${name}: expected ${pixels.length} pixels as (C, H, W), got ${format(shape)}`);
    const [channels, height, width] = shape as [number, number, number];
    const extents = this.#resized([height, width], name);
    return {
      channels,
      floats: pixels instanceof Float32Array,
      extents,
      cut(cuts, out) {
        for (const [i, cut] of cuts.entries()) {
          const own = part(out, i, cuts.length);
          if (same(extents, [height, width])) cutPlanes(pixels, shape, cut, own);
          else resizePlanes(pixels, shape, extents, cut, own);
        }
      },
    };
  }

  #resized([height, width]: Extents, name: string): Extents {
    const { resize } = this.setup.transform;
    if (resize === undefined) return [height, width];
    if (typeof resize !== 'number') return resize;
    const scale = resize / Math.min(height, width);
    const extents = [Math.round(height * scale), Math.round(width * scale)] as const;
    if (Math.max(...extents) <= MOST_SIDE) return extents;
    throw new FormatError(`${name}: too long and thin a picture to be resized: ${height}x${width}`);
  }

  #cropOf([tall, wide]: Extents, name: string): Extents {
    const { crop } = this.setup.transform;
    if (crop === undefined) return [tall, wide];
    const [height, width] = pair(crop, 'crop', 1);
    if (height <= tall && width <= wide) return [height, width];
    throw new ShapeError(
      `${name}: expected a crop of at most ${tall}x${wide}, the size of the picture, got ${height}x${width}`,
    );
  }

  #cuts([tall, wide]: Extents, height: number, width: number, draw: Draw): Cut[] {
    const [bottom, right] = [tall - height, wide - width];
    const at = (top: number, left: number, mirrored = false): Cut => ({ top, left, height, width, mirrored });
    const { random, oversample, transform } = this.setup;
    const mirrored = (transform.mirror === 'always' || (random && transform.mirror === true)) && draw.mirrored;
    if (random) return [at(draw.top(bottom), draw.left(right), mirrored)];
    // Floors, as Caffe does (data_transformer.cpp).
    const middle = at(bottom >> 1, right >> 1, mirrored && !oversample);
    if (!oversample) return [middle];
    const plain = [at(0, 0), at(0, right), at(bottom, 0), at(bottom, right), middle];
    return [...plain, ...plain.map((cut) => ({ ...cut, mirrored: true }))];
  }

  /** Where the windows lie in a picture of means. */
  #place(cuts: readonly Cut[], extents: Extents, windows: Int32Array): void {
    const { mean } = this.setup;
    if (!mean) return;
    const covers = same(mean, extents);
    cuts.forEach(({ top, left, height, width, mirrored }, i) => {
      const [y, x] = covers ? [top, left] : [(mean[0] - height) >> 1, (mean[1] - width) >> 1];
      windows.set([y, x, Number(mirrored)], 3 * i);
    });
  }
}

/** Bytes that are in memory are decoded faster than a file. */
function read(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** Windows of one size. */
function placed(cuts: readonly Cut[]): { extents: Extents; windows: Int32Array } {
  const { height, width } = cuts[0]!;
  const windows = cuts.flatMap(({ top, left, mirrored }) => [top, left, Number(mirrored)]);
  return { extents: [height, width], windows: Int32Array.from(windows) };
}

/** One of some equal parts. */
function part(whole: Pixel, index: number, parts: number): Pixel {
  return whole.subarray((index * whole.length) / parts, ((index + 1) * whole.length) / parts);
}

/** Cuts a window out of planes that are resized. @throws {UsageError} for numbers that are no bytes */
function resizePlanes(pixels: Pixel, [channels, height, width]: Shape, resized: Extents, cut: Cut, out: Pixel): void {
  for (let c = 0; c < channels!; c++) {
    const [data, plane] = [part(pixels, c, channels!), part(out, c, channels!)];
    if (!(data instanceof Uint8Array && plane instanceof Uint8Array))
      throw new UsageError('resize: expected pixels of one byte, got floating-point ones');
    const picture = { data, channels: 1, height: height!, width: width! };
    cutPicture({ ...picture, resized, ...placed([cut]), planes: [0], out: plane });
  }
}
