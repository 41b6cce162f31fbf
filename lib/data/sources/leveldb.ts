import { readdir } from 'node:fs/promises';
import { FormatError } from '../../errors.js';
import type { Dataset, Reader, ReaderSpec } from '../dataset.js';
import { decodeDatum } from '../datum.js';
import { isLevel } from '../leveldb/names.js';
import { damaged, openView } from '../leveldb/view.js';
import { Pace } from '../pace.js';
import { lookAt } from '../place.js';
import { readClassNames } from './class-names.js';
import type { DatabaseOptions } from './lmdb.js';

interface LevelSpec extends ReaderSpec {
  readonly path: string;
}

/** Keys asked for at once. */
const TOGETHER = 1000;

/**
 * Labelled pictures of a Caffe LevelDB, in the order of their keys. To find these it is read through once. Nothing in its
 * folder is changed or locked (see `openView`): it may be read-only, but must not be written to meanwhile. Names of classes
 * come from a `classes.txt` beside the data, where there is one.
 * @throws {FormatError} when it is missing, cut short, damaged, or has no records
 */
export async function leveldb(path: string, options: DatabaseOptions = {}): Promise<Dataset<Uint8Array>> {
  const { signal, ...transform } = options;
  const folder = (await lookAt(path)).isDirectory();
  if (!folder || !isLevel(await readdir(path)))
    throw new FormatError(
      `${path}: expected the folder of a LevelDB, got ${folder ? 'one without CURRENT' : 'a file'}`,
    );
  const keys = await keysOf(path, new Pace(signal));
  if (keys.length === 0) throw new FormatError(`${path}: expected at least one record, got an empty database`);
  return {
    name: path,
    length: keys.length,
    classes: await readClassNames(path),
    labelShape: [],
    reader: { kind: 'leveldb', path } satisfies LevelSpec as ReaderSpec,
    transform,
    ref: (index) => keys[index]!,
  };
}

async function keysOf(path: string, pace: Pace): Promise<Uint8Array[]> {
  const view = await openView(path);
  const keys: Uint8Array[] = [];
  try {
    await using iterator = view.level.keys();
    for (let more = true; more;) {
      const found = await iterator.nextv(TOGETHER);
      // Copies: a key would take the buffer of all its neighbours along to another thread.
      for (const key of found) keys.push(Uint8Array.from(key));
      more = found.length > 0;
      await pace.rest();
    }
  } catch (cause) {
    pace.signal?.throwIfAborted();
    throw damaged(path, cause);
  } finally {
    await view.close();
  }
  return keys;
}

/** Opens what leveldb() has described. */
export async function openReader({ path }: LevelSpec): Promise<Reader<Uint8Array>> {
  const view = await openView(path);
  return {
    read(key) {
      const name = `${path}: ${Buffer.from(key).toString()}`;
      return decodeDatum(
        valueOf(name, () => view.level.getSync(Buffer.from(key))),
        name,
      );
    },
    close: () => view.close(),
  };
}

function valueOf(name: string, get: () => Buffer | undefined): Buffer {
  let value: Buffer | undefined;
  try {
    value = get();
  } catch (cause) {
    throw damaged(name, cause);
  }
  if (value) return value;
  throw new FormatError(`${name}: expected a record, got none: the database has changed`);
}
