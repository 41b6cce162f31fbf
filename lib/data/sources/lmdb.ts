import { join } from 'node:path';
import { FormatError } from '../../errors.js';
import type { Dataset, Reader, ReaderSpec } from '../dataset.js';
import { decodeDatum } from '../datum.js';
import { locateRecords, type Layout } from '../lmdb/locate.js';
import { RecordReader } from '../lmdb/records.js';
import { Pace } from '../pace.js';
import { exists, lookAt, unreadable } from '../place.js';
import type { TransformOptions } from '../transform.js';
import { readClassNames } from './class-names.js';

export interface DatabaseOptions extends TransformOptions {
  /** Ends the search for records. */
  readonly signal?: AbortSignal;
}

interface LmdbSpec extends ReaderSpec, Layout {
  readonly name: string;
}

/**
 * Labelled pictures of a Caffe LMDB (its folder, or its file), in the order of their keys. Nothing is written and no lock
 * taken: it may lie in a folder that is read-only, but must not be written to while it is read. Names of classes come
 * from a `classes.txt` beside the data, where there is one.
 * @throws {FormatError} when it is missing, cut short, damaged, or has no records
 */
export async function lmdb(path: string, options: DatabaseOptions = {}): Promise<Dataset<number>> {
  const { signal, ...transform } = options;
  const folder = (await lookAt(path)).isDirectory();
  const file = folder ? join(path, 'data.mdb') : path;
  if (folder && !(await exists(file)))
    throw new FormatError(`${path}: expected an LMDB, got a folder without data.mdb`);
  const { records, ...layout } = await locateRecords(file, new Pace(signal));
  if (records.length === 0) throw new FormatError(`${path}: expected at least one record, got an empty database`);
  return {
    name: path,
    length: records.length,
    classes: folder ? await readClassNames(path) : undefined,
    labelShape: [],
    reader: { kind: 'lmdb', name: path, ...layout } satisfies LmdbSpec as ReaderSpec,
    transform,
    ref: (index) => records[index]!,
  };
}

/** Opens what lmdb() has described. */
export function openReader(spec: LmdbSpec): Reader<number> {
  const records = openRecords(spec);
  return {
    read(at) {
      const { key, value } = records.read(at);
      return decodeDatum(value, `${spec.name}: ${key.toString()}`);
    },
    close: () => records.close(),
  };
}

function openRecords(spec: LmdbSpec): RecordReader {
  try {
    return new RecordReader(spec);
  } catch (cause) {
    throw unreadable(spec.file, cause);
  }
}
