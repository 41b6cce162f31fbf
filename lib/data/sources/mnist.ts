import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { FormatError } from '../../errors.js';
import { count, type Shape } from '../../shape.js';
import type { Dataset, Item, Reader, ReaderSpec } from '../dataset.js';
import { exists, lookAt, unreadable } from '../place.js';
import { RowReader, type RowStore } from '../rows.js';
import type { TransformOptions } from '../transform.js';
import { readClassNames } from './class-names.js';

export interface MnistOptions extends TransformOptions {
  /** Of a folder: `train` or `t10k` files. Default `train`. */
  readonly subset?: 'train' | 'test';
}

interface MnistSpec extends ReaderSpec {
  readonly images: RowStore;
  readonly labels: RowStore;
  readonly shape: Shape;
}

/** An IDX file of bytes. */
interface Idx {
  readonly store: RowStore;
  readonly shape: Shape;
}

/** What IDX calls unsigned bytes. */
const BYTES = 8;

/**
 * MNIST and what is stored like it, IDX files of grey pictures and labels, gzipped or not: the folder, or the file of
 * pictures, whose labels are then those of the file named `labels` in place of `images`.
 * @throws {FormatError} when one is missing, cut short or no IDX, or pictures and labels differ in number
 */
export async function mnist(path: string, options: MnistOptions = {}): Promise<Dataset<number>> {
  const { subset = 'train', ...transform } = options;
  const folder = (await lookAt(path)).isDirectory();
  const images = await readIdx(folder ? await imagesIn(path, subset) : path, 3);
  const labels = await readIdx(await labelsOf(images.store.name), 1);
  const [length, ...extents] = images.shape as [number, ...number[]];
  if (labels.shape[0] !== length)
    throw new FormatError(
      `${labels.store.name}: expected ${length} labels, one for each picture, got ${labels.shape[0]!}`,
    );
  const shape = [1, ...extents];
  return {
    name: path,
    length,
    classes: folder ? await readClassNames(path) : undefined,
    labelShape: [],
    reader: { kind: 'mnist', images: images.store, labels: labels.store, shape } satisfies MnistSpec as ReaderSpec,
    transform,
    ref: (index) => index,
  };
}

async function imagesIn(path: string, subset: 'train' | 'test'): Promise<string> {
  const start = subset === 'train' ? 'train' : '(t10k|test)';
  const pattern = new RegExp(`^${start}-images[-.]idx3-ubyte(\\.gz)?$`);
  const found = (await readdir(path)).sort().find((name) => pattern.test(name));
  if (found === undefined)
    throw new FormatError(`${path}: expected ${subset === 'train' ? 'train' : 't10k'}-images-idx3-ubyte, got none`);
  return join(path, found);
}

async function labelsOf(images: string): Promise<string> {
  const other = images.replace(/images([-.])idx3/, 'labels$1idx1');
  if (other === images) throw new FormatError(`${images}: expected a name such as train-images-idx3-ubyte`);
  const names = [other, other.endsWith('.gz') ? other.slice(0, -3) : `${other}.gz`];
  for (const name of names) if (await exists(name)) return name;
  throw new FormatError(`${other}: no such file: the labels of ${images}`);
}

/** Reads the header of a file, and what is gzipped as a whole: there is no other road to its middle. */
async function readIdx(name: string, axes: number): Promise<Idx> {
  const { size } = await lookAt(name);
  const header = await readStart(name, 4 + 4 * axes);
  const magic = header.length === 4 + 4 * axes ? header.readUInt32BE(0) : undefined;
  if (magic !== BYTES * 256 + axes)
    throw new FormatError(`${name}: not an IDX file of ${axes === 3 ? 'pictures' : 'labels'}, or cut short`);
  const shape = Array.from({ length: axes }, (_, axis) => header.readUInt32BE(4 + 4 * axis));
  if (shape.some((extent) => extent === 0)) throw new FormatError(`${name}: empty: got ${shape.join(' x ')} bytes`);
  const store = { name, start: header.length, size: count(shape, 1) };
  const expected = header.length + count(shape);
  if (!name.endsWith('.gz')) {
    if (size !== expected) throw new FormatError(`${name}: cut short: expected ${expected} bytes, got ${size}`);
    return { store, shape };
  }
  return { store: { ...store, bytes: await inflate(name, expected) }, shape };
}

async function readStart(name: string, length: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of contentOf(name)) {
    parts.push(part);
    if (parts.reduce((sum, { length: own }) => sum + own, 0) >= length) break;
  }
  return Buffer.concat(parts).subarray(0, length);
}

async function inflate(name: string, length: number): Promise<Uint8Array> {
  if (length > MOST_BYTES)
    throw new FormatError(`${name}: ${length} bytes are too many to be kept in memory; gunzip the file first`);
  const bytes = new Uint8Array(new SharedArrayBuffer(length));
  let at = 0;
  for await (const part of contentOf(name)) {
    if (at + part.length > length) throw new FormatError(`${name}: expected ${length} bytes, got more`);
    bytes.set(part, at);
    at += part.length;
  }
  if (at === length) return bytes;
  throw new FormatError(`${name}: cut short: expected ${length} bytes, got ${at}`);
}

/** Of a gzipped file: all that such data sets have come to so far is far below. */
const MOST_BYTES = 2 ** 31;

async function* contentOf(name: string): AsyncGenerator<Buffer> {
  const file = createReadStream(name);
  try {
    if (!name.endsWith('.gz')) yield* file;
    else {
      const gunzip = createGunzip();
      const copied = pipeline(file, gunzip);
      copied.catch(() => undefined);
      yield* gunzip;
      await copied;
    }
  } catch (cause) {
    const damaged = cause instanceof Error && 'code' in cause && String(cause.code).startsWith('Z_');
    throw damaged
      ? new FormatError(`${name}: damaged or cut short: ${cause.message}`, { cause })
      : unreadable(name, cause);
  } finally {
    file.destroy();
  }
}

/** Opens what mnist() has described. */
export function openReader({ images, labels, shape }: MnistSpec): Reader<number> {
  const [pictures, numbers] = [new RowReader(images), new RowReader(labels)];
  return {
    read: (row): Item => ({
      name: `${images.name}: picture ${row}`,
      picture: { pixels: pictures.row(row), shape },
      label: numbers.row(row)[0]!,
    }),
    close() {
      pictures.close();
      numbers.close();
    },
  };
}
