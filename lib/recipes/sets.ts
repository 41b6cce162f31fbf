import { openDataset, type Dataset, type OpenOptions, type TransformOptions } from '../data/index.js';
import { FormatError } from '../errors.js';

/** What to learn from, and what to evaluate on, where there is such. */
export interface Sets {
  readonly train: Dataset;
  readonly test: Dataset | undefined;
}

/**
 * Opens pictures to learn from, and those to evaluate on: without any, the test part of the former where they have one.
 * Folders of pictures have the same classes in both.
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
