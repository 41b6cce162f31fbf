import { dirname, isAbsolute, join } from 'node:path';
import { FormatError } from '../../errors.js';
import { readTextFile } from '../../file.js';
import { readTrees } from '../../hdf5/run.js';
import { find, type Leaf, type Tree } from '../../hdf5/tree.js';
import { count, format, same, type Shape } from '../../shape.js';
import type { Dataset, ReaderSpec } from '../dataset.js';
import { lookAt } from '../place.js';
import type { TransformOptions } from '../transform.js';

export interface Hdf5Options extends TransformOptions {
  /** Names of the arrays of pictures and of labels. Default `data` and `label`. */
  readonly names?: { readonly data: string; readonly label: string };
  /** Of a list: the folder that its paths begin at. Default: the folder of the list. */
  readonly root?: string;
}

/** An HDF5 file with rows of pictures and labels. */
interface Rows {
  readonly file: string;
  readonly rows: number;
  /** Of one row. */
  readonly shape: Shape;
  readonly labelShape: Shape;
}

/** What a reader needs to know. */
export interface Hdf5Spec extends ReaderSpec {
  readonly files: readonly string[];
  readonly data: string;
  readonly label: string;
  /** (C, H, W) */
  readonly shape: Shape;
  readonly labelShape: Shape;
}

export interface Hdf5Ref {
  readonly file: number;
  readonly row: number;
}

/**
 * Rows of HDF5 files as Caffe's HDF5Data layers take them: one file, or a text file that names one on each line.
 * Numbers are taken as float32; pictures are (C, H, W), axes that are missing have extent 1; labels have any shape.
 * @throws {FormatError} when a file is missing, cut short, lacks an array, or differs from the first
 */
export async function hdf5(path: string, options: Hdf5Options = {}): Promise<Dataset<Hdf5Ref>> {
  const { names = { data: 'data', label: 'label' }, root = dirname(path), ...transform } = options;
  const files = isHdf5File(path) ? [path] : await listed(path, root);
  const all: Rows[] = [];
  const trees = await readTrees(files, { values: false });
  trees.forEach((tree, i) => all.push(rowsOf(files[i]!, tree, names, all[0])));
  const { shape, labelShape } = all[0]!;
  const whole = [...shape, 1, 1].slice(0, 3);
  return {
    name: path,
    length: all.reduce((sum, { rows }) => sum + rows, 0),
    classes: undefined,
    labelShape,
    reader: { kind: 'hdf5', files, ...names, shape: whole, labelShape } satisfies Hdf5Spec as ReaderSpec,
    transform,
    ref(index) {
      let [file, row] = [0, index];
      for (; row >= all[file]!.rows; file++) row -= all[file]!.rows;
      return { file, row };
    },
  };
}

/** Whether a file is HDF5 by its name. */
export function isHdf5File(path: string): boolean {
  return /\.(h5|hdf5)$/i.test(path);
}

async function listed(path: string, root: string): Promise<string[]> {
  if ((await lookAt(path)).isDirectory())
    throw new FormatError(`${path}: expected an HDF5 file or a list, got a folder`);
  const lines = (await readTextFile(path)).split('\n').map((line) => line.trim());
  const files = lines.filter((line) => line !== '');
  if (files.length === 0) throw new FormatError(`${path}: expected lines with an HDF5 file each, got none`);
  return files.map((file) => (isAbsolute(file) ? file : join(root, file)));
}

function rowsOf(file: string, tree: Tree, names: { data: string; label: string }, first: Rows | undefined): Rows {
  const leaf = (name: string): Leaf => {
    const found = find(tree, name);
    if (found?.kind === 'dataset' && found.shape.length > 0) return found;
    throw new FormatError(
      `${file}: expected an array "${name}", got ${[...tree.members.keys()].join(', ') || 'nothing'}`,
    );
  };
  const [rows, ...shape] = leaf(names.data).shape as [number, ...number[]];
  const [labels, ...labelShape] = leaf(names.label).shape as [number, ...number[]];
  if (labels !== rows) throw new FormatError(`${file}: expected ${rows} labels, one for each row, got ${labels}`);
  if (shape.length > 3 || count([rows, ...shape, ...labelShape]) === 0)
    throw new FormatError(`${file}: expected "${names.data}" as (N, C, H, W), got ${format([rows, ...shape])}`);
  if (first && !(same(first.shape, shape) && same(first.labelShape, labelShape)))
    throw new FormatError(
      `${file}: expected rows of ${format(first.shape)} and labels of ${format(first.labelShape)} as in ${first.file}, got ${format(shape)} and ${format(labelShape)}`,
    );
  return { file, rows, shape, labelShape };
}
