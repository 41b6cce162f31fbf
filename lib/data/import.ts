import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { FormatError, UsageError } from '../errors.js';
import { ahead } from './ahead.js';
import type { Dataset } from './dataset.js';
import { makeRecord, type Made, type RecordOptions } from './import-record.js';
import { MOST_KEY } from './lmdb/format.js';
import { LmdbWriter } from './lmdb/write.js';
import { Order } from './order.js';
import { Pace } from './pace.js';
import { exists, lookAt } from './place.js';
import { CLASS_NAMES } from './sources/class-names.js';
import type { FileRef } from './sources/files.js';
import { imageFolder } from './sources/image-folder.js';
import { imageList } from './sources/image-list.js';

/** How pictures become records. */
export interface ImportOptions extends RecordOptions {
  /** Of a list: the folder that its paths begin at. Default: the folder of the list. */
  readonly root?: string;
  /** Seed of a random order. Default: the order of the list or folder. */
  readonly shuffle?: number;
  /** Replaces an LMDB that is there. Default false. */
  readonly overwrite?: boolean;
  /** Ends the import; nothing of it is left. */
  readonly signal?: AbortSignal;
  /** Called after each picture: how many of how many are through. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Called for each picture that is left out because it cannot be read. */
  readonly onSkipped?: (error: FormatError) => void;
}

/** What was imported. */
export interface Imported {
  /** Pictures in the database. */
  readonly records: number;
  /** Pictures left out. */
  readonly skipped: number;
  readonly classes: readonly string[] | undefined;
}

/**
 * Makes an LMDB of labelled pictures that Caffe reads, as its convert_imageset does, of a folder of classes or a list.
 * The keys are `00000000_PATH`, the planes blue, green, red. Names of classes go into `classes.txt` beside the data.
 * The database appears under its name when it is complete.
 * @throws {UsageError} when `out` is there already, and is no LMDB or not to be replaced
 * @throws {FormatError} when the source is no folder or list of pictures, or none of them can be read
 */
export async function importImages(source: string, out: string, options: ImportOptions = {}): Promise<Imported> {
  await checkTarget(out, options.overwrite ?? false);
  const folder = (await lookAt(source)).isDirectory();
  const root = folder ? source : (options.root ?? dirname(source));
  const { signal } = options;
  const limits = signal ? { signal } : {};
  const dataset = await (folder ? imageFolder(source, limits) : imageList(source, { root, ...limits }));
  const unfinished = `${out}.${process.pid}.part`;
  await mkdir(unfinished, { recursive: true });
  try {
    const records = await writeRecords(dataset, root, join(unfinished, 'data.mdb'), options);
    if (records === 0) throw new FormatError(`${source}: expected pictures, got ${dataset.length} that cannot be read`);
    const { classes } = dataset;
    if (classes) await writeFile(join(unfinished, CLASS_NAMES), classes.map((name) => `${name}\n`).join(''));
    await moveTo(out, unfinished);
    return { records, skipped: dataset.length - records, classes };
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

async function checkTarget(out: string, overwrite: boolean): Promise<void> {
  if (!(await exists(out))) return;
  if (!overwrite) throw new UsageError(`${out}: expected a new folder, got one that is there; replace it by overwrite`);
  const names = (await lookAt(out)).isDirectory() ? await readdir(out) : ['a file'];
  const own = ['data.mdb', 'lock.mdb', CLASS_NAMES];
  const strange = names.find((name) => !own.includes(name));
  if (strange !== undefined) throw new UsageError(`${out}: expected an LMDB to replace, got a place with ${strange}`);
}

async function moveTo(out: string, unfinished: string): Promise<void> {
  const old = `${out}.${process.pid}.old`;
  const replaces = await exists(out);
  if (replaces) await rename(out, old);
  await rename(unfinished, out);
  if (replaces) await rm(old, { recursive: true });
}

async function writeRecords(
  dataset: Dataset<FileRef>,
  root: string,
  file: string,
  options: ImportOptions,
): Promise<number> {
  const { length } = dataset;
  const order = options.shuffle === undefined ? undefined : new Order(length, options.shuffle, 0);
  const pace = new Pace(options.signal);
  const make = (place: number): Promise<Made> =>
    makeRecord(dataset.ref(order ? order.at(place) : place), options, pace);
  const writer = await LmdbWriter.create(file);
  let [done, records] = [0, 0];
  try {
    for await (const { path, value, error } of ahead(length, 2 * availableParallelism(), make)) {
      options.signal?.throwIfAborted();
      if (value) {
        await writer.append(keyOf(done, path, root), value);
        records++;
      } else options.onSkipped?.(error);
      done++;
      options.onProgress?.(done, length);
    }
    await writer.finish();
  } catch (cause) {
    await writer.close();
    throw cause;
  }
  return records;
}

/** The key that Caffe's tools give: pictures that are left out are counted too. */
function keyOf(place: number, path: string, root: string): Buffer {
  const inside = relative(root, path);
  const name = inside.startsWith('..') ? path : inside;
  return Buffer.from(`${String(place).padStart(8, '0')}_${name}`).subarray(0, MOST_KEY);
}
