import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FormatError } from '../../errors.js';
import { count } from '../../shape.js';
import type { Dataset, Item, Reader, ReaderSpec } from '../dataset.js';
import { lookAt } from '../place.js';
import { RowReader, type RowStore } from '../rows.js';
import type { TransformOptions } from '../transform.js';
import { readClassNames } from './class-names.js';

export interface CifarOptions extends TransformOptions {
  /** Of a folder: which of its files. Default `train`. */
  readonly subset?: 'train' | 'test';
  /** Of CIFAR-100: its 100 classes or their 20 groups. Default `fine`. */
  readonly labels?: 'fine' | 'coarse';
}

/** A record of CIFAR-10 or CIFAR-100: labels, then planes of red, green and blue. */
interface Kind {
  /** Of each label: how many classes it tells apart. */
  readonly classes: readonly number[];
  /** Files of a folder. */
  readonly train: RegExp;
  readonly test: RegExp;
}

const KINDS = {
  cifar10: { classes: [10], train: /^data_batch_\d+\.bin$/, test: /^test_batch\.bin$/ },
  cifar100: { classes: [20, 100], train: /^train\.bin$/, test: /^test\.bin$/ },
} satisfies Record<string, Kind>;

const SHAPE = [3, 32, 32];
const PIXELS = count(SHAPE);

interface CifarSpec extends ReaderSpec {
  readonly files: readonly RowStore[];
  /** Which byte of a record is the label, and how many classes there are. */
  readonly label: number;
  readonly classes: number;
}

interface RowRef {
  readonly file: number;
  readonly row: number;
}

/**
 * CIFAR-10 or CIFAR-100 in the binary version of its authors: the folder, or one file. Pixels are planes of red, green
 * and blue, as Caffe's convert_cifar_data stores them. Names of classes come from the text files in the folder.
 * @throws {FormatError} when there is none, or a file is cut short
 */
export async function cifar(path: string, options: CifarOptions = {}): Promise<Dataset<RowRef>> {
  const { subset = 'train', labels = 'fine', ...transform } = options;
  const folder = (await lookAt(path)).isDirectory() ? path : dirname(path);
  const names = folder === path ? await filesIn(path, subset) : [basename(path)];
  const kind = await kindOf(folder, names[0]!);
  const { classes } = KINDS[kind];
  const size = classes.length + PIXELS;
  const files = names.map((name) => ({ name: join(folder, name), start: 0, size }));
  const rows = await Promise.all(files.map(rowsIn));
  const length = rows.reduce((sum, own) => sum + own, 0);
  const label = labels === 'coarse' ? 0 : classes.length - 1;
  return {
    name: path,
    length,
    classes: await readClassNames(folder, nameFile(kind, labels)),
    labelShape: [],
    reader: { kind: 'cifar', files, label, classes: classes[label]! } satisfies CifarSpec as ReaderSpec,
    transform,
    ref: (index) => rowRef(rows, index),
  };
}

async function filesIn(path: string, subset: 'train' | 'test'): Promise<string[]> {
  const names = (await readdir(path)).sort();
  for (const kind of Object.values(KINDS)) {
    const found = names.filter((name) => kind[subset].test(name));
    if (found.length > 0) return found;
  }
  throw new FormatError(
    `${path}: expected the ${subset === 'train' ? 'data_batch_N.bin or train.bin' : 'test_batch.bin or test.bin'} of CIFAR, got none`,
  );
}

/** By the name, or else by which length of records fits. */
async function kindOf(folder: string, name: string): Promise<keyof typeof KINDS> {
  for (const kind of ['cifar10', 'cifar100'] as const)
    if (KINDS[kind].train.test(name) || KINDS[kind].test.test(name)) return kind;
  const { size } = await lookAt(join(folder, name));
  return size % (1 + PIXELS) === 0 ? 'cifar10' : 'cifar100';
}

async function rowsIn({ name, size }: RowStore): Promise<number> {
  const { size: bytes } = await lookAt(name);
  if (bytes > 0 && bytes % size === 0) return bytes / size;
  throw new FormatError(
    `${name}: ${bytes === 0 ? 'empty' : 'cut short, or not CIFAR'}: expected records of ${size} bytes, got ${bytes} bytes`,
  );
}

function nameFile(kind: keyof typeof KINDS, labels: 'fine' | 'coarse'): string {
  return kind === 'cifar10' ? 'batches.meta.txt' : `${labels}_label_names.txt`;
}

function rowRef(rows: readonly number[], index: number): RowRef {
  let [file, row] = [0, index];
  for (; row >= rows[file]!; file++) row -= rows[file]!;
  return { file, row };
}

/** Opens what cifar() has described. */
export function openReader({ files, label, classes }: CifarSpec): Reader<RowRef> {
  const readers = files.map((file) => new RowReader(file));
  return {
    read({ file, row }): Item {
      const bytes = readers[file]!.row(row);
      const name = `${files[file]!.name}: record ${row}`;
      const value = bytes[label]!;
      if (value >= classes) throw new FormatError(`${name}: expected a label from 0 to ${classes - 1}, got ${value}`);
      return { name, picture: { pixels: bytes.subarray(bytes.length - PIXELS), shape: SHAPE }, label: value };
    },
    close: () => readers.forEach((reader) => reader.close()),
  };
}
