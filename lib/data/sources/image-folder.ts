import { opendir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { FormatError, UsageError } from '../../errors.js';
import { isPictureName } from '../../images/index.js';
import type { Dataset } from '../dataset.js';
import { byCode, Pace, sortSlowly } from '../pace.js';
import { lookAt, unreadable } from '../place.js';
import type { TransformOptions } from '../transform.js';
import { FILES, type FileRef } from './files.js';

export interface ImageFolderOptions extends TransformOptions {
  /** Folders of the classes in the order of their labels; other folders are left out. Default: all, in alphabetical order. */
  readonly classes?: readonly string[];
  /** Ends the search for pictures. */
  readonly signal?: AbortSignal;
}

/** Folders within folders: beyond this, links must lead in a circle. */
const MOST_DEPTH = 32;

/**
 * Pictures in one folder per class, `CLASS/….jpg` at any depth, class after class, each in the order of its paths (by code
 * units, whatever the language). Files that are no pictures by their names are passed over, and so are hidden ones.
 * @throws {FormatError} when there is no such folder, or it has no classes or no pictures
 * @throws {UsageError} for a class without a folder
 */
export async function imageFolder(path: string, options: ImageFolderOptions = {}): Promise<Dataset<FileRef>> {
  const { classes: asked, signal, ...transform } = options;
  const pace = new Pace(signal);
  if (!(await lookAt(path)).isDirectory()) throw new FormatError(`${path}: expected a folder, got a file`);
  const classes = asked ?? (await classFolders(path, pace));
  const files: string[] = [];
  /** Where each class ends in `files`. */
  const ends: number[] = [];
  for (const name of classes) {
    if (asked) await checkClass(path, name);
    for (const file of await sortSlowly(await picturesIn(join(path, name), pace), byCode, pace)) files.push(file);
    ends.push(files.length);
  }
  if (files.length === 0) throw new FormatError(`${path}: expected pictures in folders of classes, got none`);
  return {
    name: path,
    length: files.length,
    classes,
    labelShape: [],
    reader: FILES,
    transform,
    ref: (index) => ({ path: files[index]!, label: firstBeyond(ends, index) }),
    label: (index) => firstBeyond(ends, index),
  };
}

async function classFolders(path: string, pace: Pace): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, folder } of entries(path, pace)) if (folder) found.push(relative(path, name));
  if (found.length === 0) {
    throw new FormatError(`${path}: expected a folder for each class, with its pictures, got no folders`);
  }
  return found.sort(byCode);
}

async function checkClass(path: string, name: string): Promise<void> {
  const is = await lookAt(join(path, name)).catch(() => undefined);
  if (!is?.isDirectory()) throw new UsageError(`classes: expected folders of ${path}, got "${name}"`);
}

async function picturesIn(folder: string, pace: Pace, depth = 1): Promise<string[]> {
  if (depth > MOST_DEPTH) throw new FormatError(`${folder}: folders nested more than ${MOST_DEPTH} deep`);
  const found: string[] = [];
  for await (const { name, folder: deeper } of entries(folder, pace)) {
    if (!deeper) {
      if (isPictureName(name)) found.push(name);
    } else for (const file of await picturesIn(name, pace, depth + 1)) found.push(file);
  }
  return found;
}

interface Entry {
  /** With the path. */
  readonly name: string;
  readonly folder: boolean;
}

/** What a folder holds, links followed, hidden things left out. */
async function* entries(path: string, pace: Pace): AsyncGenerator<Entry> {
  try {
    for await (const entry of await opendir(path, { bufferSize: 256 })) {
      if (entry.name.startsWith('.')) continue;
      const name = join(path, entry.name);
      const is = entry.isSymbolicLink() ? await lookAt(name).catch(() => entry) : entry;
      yield { name, folder: is.isDirectory() };
      if (pace.due) await pace.rest();
    }
  } catch (cause) {
    if (cause instanceof Error && 'syscall' in cause) throw unreadable(path, cause);
    throw cause;
  }
}

/** The first place whose value is beyond `index`. */
function firstBeyond(ends: readonly number[], index: number): number {
  let [low, high] = [0, ends.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ends[middle]! > index) high = middle;
    else low = middle + 1;
  }
  return low;
}
