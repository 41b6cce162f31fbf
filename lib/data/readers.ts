import { UsageError } from '../errors.js';
import type { Reader, ReaderSpec } from './dataset.js';

interface Source {
  openReader(spec: ReaderSpec): Reader<unknown> | Promise<Reader<unknown>>;
}

/** One file each, loaded when called for. */
const sources: Record<string, () => Promise<Source>> = {
  files: () => import('./sources/files.js'),
  given: () => import('./sources/given.js'),
  lmdb: () => import('./sources/lmdb.js'),
  leveldb: () => import('./sources/leveldb.js'),
  hdf5: () => import('./sources/hdf5-reader.js'),
  cifar: () => import('./sources/cifar.js'),
  mnist: () => import('./sources/mnist.js'),
  webdataset: () => import('./sources/webdataset.js'),
};

/** Opens the reader of a dataset, in any thread. @throws {FormatError} when its data cannot be read any more */
export async function open(spec: ReaderSpec): Promise<Reader<unknown>> {
  const load = sources[spec.kind];
  if (!load)
    throw new UsageError(`dataset: expected a reader of ${Object.keys(sources).join(', ')}, got "${spec.kind}"`);
  return (await load()).openReader(spec);
}
