import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { locate, type DataLayer } from '../../caffe/data-layers.js';
import {
  openDataset,
  type Dataset,
  type DatasetKind,
  type OpenOptions,
  type TransformOptions,
} from '../../data/index.js';
import { readMean } from '../../images/index.js';

/** What to learn from, and what to evaluate on, where there is such. */
export interface Sets {
  readonly train: Dataset;
  readonly test: Dataset | undefined;
}

/** Folders that are evaluated on beside one called `train`. */
const TESTS = ['val', 'test', 'validation'];

/** Where --data and --test-data lead. A folder with `train` in it is both. */
export async function findSets(
  data: string,
  testData: string | undefined,
): Promise<{ readonly train: string; readonly test: string | undefined }> {
  if (!(await isFolder(join(data, 'train')))) return { train: data, test: testData };
  const train = join(data, 'train');
  if (testData !== undefined) return { train, test: testData };
  for (const name of TESTS) if (await isFolder(join(data, name))) return { train, test: join(data, name) };
  return { train, test: undefined };
}

/** Opens them. Folders of pictures have the same classes in both. @throws {FormatError | UsageError} */
export async function openSets(data: string, testData: string | undefined, transform: TransformOptions): Promise<Sets> {
  const paths = await findSets(data, testData);
  const train = await openDataset(paths.train, transform);
  if (paths.test === undefined) return { train, test: undefined };
  const options: OpenOptions = { ...transform, ...(train.classes && { classes: train.classes }) };
  return { train, test: await openDataset(paths.test, options) };
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (is) => is.isDirectory(),
    () => false,
  );
}

/** The data of a layer of Caffe's, or what lies at a path instead, taken as the layer says. */
export async function openLayer(
  { kind, source, root, transform, layer }: DataLayer,
  instead?: string,
  more: TransformOptions = {},
): Promise<Dataset> {
  const { mean, ...rest } = transform;
  const options: TransformOptions = {
    ...rest,
    ...(mean !== undefined && {
      mean: 'file' in mean ? await readMean(locate(mean.file, 'mean_file', layer).path) : mean,
    }),
    ...more,
  };
  if (instead !== undefined) return openDataset(instead, options);
  const { path } = locate(source, 'source', layer);
  return openDataset(path, { kind: kind as DatasetKind, ...options, ...(root !== undefined && { root }) });
}
