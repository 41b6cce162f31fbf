import { open, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { FormatError, UsageError } from '../errors.js';
import type { Dataset } from './dataset.js';
import { isLevel } from './leveldb/names.js';
import { lookAt, unreadable } from './place.js';
import type { TransformOptions } from './transform.js';

/** What some kinds of datasets take; see each of the functions. */
interface Own {
  /** Of CIFAR and MNIST, and of folders with a `train` and a `test` or `val` in them: which part. Default: `train`. */
  readonly subset?: 'train' | 'test';
  /** Of lists: the folder that their paths begin at. Default: the folder of the list. */
  readonly root?: string;
  /** Of folders of pictures: the classes in the order of their labels. Default: all folders, in alphabetical order. */
  readonly classes?: readonly string[];
  /** Ends the search for records. */
  readonly signal?: AbortSignal;
}

export interface OpenOptions extends TransformOptions, Own {
  /** What the data is: a key of `KINDS`. Default: found out from what lies there. */
  readonly kind?: DatasetKind;
}

interface Opener {
  readonly takes: readonly (keyof Own)[];
  readonly load: () => Promise<(path: string, options: TransformOptions & Own) => Promise<Dataset>>;
}

/** One file each, loaded when called for. Their names are those of the functions that a program would call. */
const openers = {
  imageFolder: {
    takes: ['classes', 'signal'],
    load: async () => (await import('./sources/image-folder.js')).imageFolder,
  },
  imageList: { takes: ['root', 'signal'], load: async () => (await import('./sources/image-list.js')).imageList },
  lmdb: { takes: ['signal'], load: async () => (await import('./sources/lmdb.js')).lmdb },
  leveldb: { takes: ['signal'], load: async () => (await import('./sources/leveldb.js')).leveldb },
  hdf5: { takes: ['root'], load: async () => (await import('./sources/hdf5.js')).hdf5 },
  cifar: { takes: ['subset'], load: async () => (await import('./sources/cifar.js')).cifar },
  mnist: { takes: ['subset'], load: async () => (await import('./sources/mnist.js')).mnist },
  webdataset: { takes: ['signal'], load: async () => (await import('./sources/webdataset.js')).webdataset },
} satisfies Record<string, Opener>;

/** What a dataset may be stored as. */
export type DatasetKind = keyof typeof openers;

/** The kinds of datasets that openDataset() knows. */
export const KINDS = Object.keys(openers) as readonly DatasetKind[];

/** What a part of a folder is called. */
const SUBSETS = { train: ['train', 'training'], test: ['test', 'val', 'validation'] } as const;

/**
 * Opens a dataset by what lies at a path: a folder with `data.mdb` is an LMDB, one with folders of pictures an
 * imageFolder, and so on. For commands; a program that knows its data calls `lmdb()`, `imageFolder()`, ….
 * @throws {FormatError} when nothing lies there, it is damaged, or no dataset can be made out
 * @throws {UsageError} for an unknown kind
 */
export async function openDataset(path: string, options: OpenOptions = {}): Promise<Dataset> {
  const { kind: asked, subset, root, classes, signal, ...transform } = options;
  if (asked !== undefined && !Object.hasOwn(openers, asked))
    throw new UsageError(`kind: expected one of ${KINDS.join(', ')}, got "${asked}"`);
  const { kind, at } = asked ? { kind: asked, at: path } : await recognise(path, subset ?? 'train');
  const { takes, load }: Opener = openers[kind];
  const given = Object.entries({ subset, root, classes, signal }).filter(
    ([name, value]) => value !== undefined && takes.includes(name as keyof Own),
  );
  return (await load())(at, { ...transform, ...(Object.fromEntries(given) as Own) });
}

interface Found {
  readonly kind: DatasetKind;
  /** The path, or the part of the folder there that was asked for. */
  readonly at: string;
}

async function recognise(path: string, subset: 'train' | 'test'): Promise<Found> {
  if (!(await lookAt(path)).isDirectory()) {
    const kind = (await kindOfFile(path)) ?? unknown(path);
    return { kind, at: path };
  }
  const names = await readdir(path).catch((cause: unknown) => Promise.reject(unreadable(path, cause)));
  const has = (pattern: RegExp): boolean => names.some((name) => pattern.test(name));
  const kind = FOLDER_KINDS.find(([pattern]) => has(pattern))?.[1];
  if (kind) return { kind, at: path };
  if (isLevel(names)) return { kind: 'leveldb', at: path };
  const part = SUBSETS[subset].find((name) => names.includes(name));
  const other = SUBSETS[subset === 'train' ? 'test' : 'train'].find((name) => names.includes(name));
  if (part !== undefined && other !== undefined) return recognise(join(path, part), subset);
  const entries = await readdir(path, { withFileTypes: true });
  const folders = entries.some((entry) => entry.isDirectory() || entry.isSymbolicLink());
  return { kind: folders ? 'imageFolder' : unknown(path), at: path };
}

function unknown(path: string): never {
  throw new FormatError(`${path}: cannot tell what kind of data this is; expected one of ${KINDS.join(', ')}`);
}

/** By a name in the folder. */
const FOLDER_KINDS: readonly (readonly [RegExp, DatasetKind])[] = [
  [/^data\.mdb$/, 'lmdb'],
  [/^(data_batch_\d+|test_batch|train|test)\.bin$/, 'cifar'],
  [/-images[-.]idx3-ubyte(\.gz)?$/, 'mnist'],
  [/\.tar$/, 'webdataset'],
];

/** By the name of the file. */
const FILE_KINDS: readonly (readonly [RegExp, DatasetKind])[] = [
  [/\.mdb$/i, 'lmdb'],
  [/\.(h5|hdf5)$/i, 'hdf5'],
  [/\.bin$/i, 'cifar'],
  [/idx3-ubyte(\.gz)?$/, 'mnist'],
  [/\.(tar|tgz|tar\.gz)$/i, 'webdataset'],
];

async function kindOfFile(path: string): Promise<DatasetKind | undefined> {
  const named = FILE_KINDS.find(([pattern]) => pattern.test(basename(path)))?.[1];
  if (named || !/\.(txt|lst|list)$/i.test(path)) return named;
  const first = /^\s*(\S.*?)\s*$/m.exec(await startOf(path))?.[1] ?? '';
  return /\.(h5|hdf5)$/i.test(first) ? 'hdf5' : 'imageList';
}

/** Enough of a file to see its first line. */
async function startOf(path: string): Promise<string> {
  try {
    await using file = await open(path);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}
