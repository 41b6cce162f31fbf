import { readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { FormatError, UsageError } from '../errors.js';
import type { Dataset } from './dataset.js';
import { exists, lookAt } from './place.js';
import type { TransformOptions } from './transform.js';

export interface OpenOptions extends TransformOptions {
  /** What the data is: a key of `KINDS`. Default: found out from what lies there. */
  readonly kind?: DatasetKind;
  /** Of a list of pictures: the folder that its paths begin at. Default: the folder of the list. */
  readonly root?: string;
  /** Of folders of pictures: the classes in the order of their labels. Default: all folders, in alphabetical order. */
  readonly classes?: readonly string[];
  /** Ends the search for records. */
  readonly signal?: AbortSignal;
}

type Opener = (path: string, options: Omit<OpenOptions, 'kind'>) => Promise<Dataset>;

/** One file each, loaded when called for. Their names are those of the functions that a program would call. */
const openers = {
  imageFolder: async (path, { root: _, ...rest }) =>
    (await import('./sources/image-folder.js')).imageFolder(path, rest),
  imageList: async (path, { classes: _, ...rest }) => (await import('./sources/image-list.js')).imageList(path, rest),
  lmdb: async (path, { root: _, classes: __, ...rest }) => (await import('./sources/lmdb.js')).lmdb(path, rest),
} satisfies Record<string, Opener>;

export type DatasetKind = keyof typeof openers;

/** The kinds of datasets that openDataset() knows. */
export const KINDS = Object.keys(openers) as readonly DatasetKind[];

/**
 * Opens a dataset by what lies at a path: a folder with `data.mdb` is an LMDB, one with folders of pictures an
 * imageFolder, and so on. For commands; a program that knows its data calls `lmdb()`, `imageFolder()`, ….
 * @throws {FormatError} when nothing lies there, it is damaged, or no dataset can be made out
 * @throws {UsageError} for an unknown kind
 */
export async function openDataset(path: string, options: OpenOptions = {}): Promise<Dataset> {
  const { kind = await kindOf(path), ...rest } = options;
  if (!Object.hasOwn(openers, kind)) throw new UsageError(`kind: expected one of ${KINDS.join(', ')}, got "${kind}"`);
  return openers[kind](path, rest);
}

async function kindOf(path: string): Promise<DatasetKind> {
  const is = await lookAt(path);
  const kind = is.isDirectory() ? await kindOfFolder(path) : kindOfFile(path);
  if (kind) return kind;
  throw new FormatError(`${path}: cannot tell what kind of data this is; expected one of ${KINDS.join(', ')}`);
}

const FILE_KINDS: Readonly<Record<string, DatasetKind>> = { '.txt': 'imageList', '.mdb': 'lmdb' };

function kindOfFile(path: string): DatasetKind | undefined {
  return FILE_KINDS[extname(path).toLowerCase()];
}

async function kindOfFolder(path: string): Promise<DatasetKind | undefined> {
  if (await exists(join(path, 'data.mdb'))) return 'lmdb';
  const entries = await readdir(path, { withFileTypes: true });
  return entries.some((entry) => entry.isDirectory() || entry.isSymbolicLink()) ? 'imageFolder' : undefined;
}
