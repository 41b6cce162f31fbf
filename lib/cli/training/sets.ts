import { locate, type DataLayer } from '../../caffe/data-layers.js';
import { openDataset, type Dataset, type OpenOptions, type TransformOptions } from '../../data/index.js';
import { FormatError } from '../../errors.js';
import { readMean } from '../../images/index.js';

/** What to learn from, and what to evaluate on, where there is such. */
export interface Sets {
  readonly train: Dataset;
  readonly test: Dataset | undefined;
}

/**
 * Opens what --data and --test-data name; without the latter, the test part of the former where it has one. Folders of
 * pictures have the same classes in both.
 * @throws {FormatError | UsageError}
 */
export async function openSets(data: string, testData: string | undefined, transform: TransformOptions): Promise<Sets> {
  const train = await openDataset(data, { ...transform, subset: 'train' });
  const options: OpenOptions = { ...transform, ...(train.classes && { classes: train.classes }), subset: 'test' };
  if (testData !== undefined) return { train, test: await openDataset(testData, options) };
  return { train, test: await testPart(data, train, options) };
}

async function testPart(data: string, train: Dataset, options: OpenOptions): Promise<Dataset | undefined> {
  // Pictures of the folder itself: there is no other part.
  if (train.name === data && train.reader.kind === 'files') return undefined;
  const test = await openDataset(data, options).catch((error: unknown) => {
    if (error instanceof FormatError) return undefined;
    throw error;
  });
  const same = test?.name === train.name && JSON.stringify(test.reader) === JSON.stringify(train.reader);
  return same ? undefined : test;
}

/** The data of a layer of Caffe's, or what lies at a path instead, taken as the layer says. */
export async function openLayer(
  { kind, source, root, transform, layer }: DataLayer,
  instead?: string,
  more: Pick<OpenOptions, 'subset' | 'resize'> = {},
): Promise<Dataset> {
  const { mean, mirror, channelOrder, ...rest } = transform;
  const options: OpenOptions = {
    ...rest,
    // Caffe mirrors in tests too.
    ...(mirror && { mirror: 'always' }),
    ...(mean !== undefined && {
      mean: 'file' in mean ? await readMean(locate(mean.file, 'mean_file', layer).path) : mean,
    }),
    ...more,
  };
  if (instead !== undefined) return openDataset(instead, { ...options, ...(channelOrder && { channelOrder }) });
  const { path } = locate(source, 'source', layer);
  return openDataset(path, {
    kind,
    ...options,
    channelOrder: channelOrder ?? 'asis',
    ...(root !== undefined && { root }),
  });
}
