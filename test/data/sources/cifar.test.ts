import assert from 'node:assert/strict';
import { join } from 'node:path';
import { cifar, openDataset } from '../../../lib/data/index.js';
import { readAll, scratch } from './support.js';

const PIXELS = 3072;

/** Records of labels and pixels that count on. */
function records(labels: readonly (readonly number[])[]): Buffer {
  return Buffer.concat(
    labels.map((own, i) => Buffer.concat([Buffer.from(own), Buffer.alloc(PIXELS, (i + 1) * 10), Buffer.alloc(0)])),
  );
}

describe('cifar', () => {
  const temporary = scratch();
  const at = (name: string): string => join(temporary.path, name);

  it('reads the folder of CIFAR-10, its files in order, and its test file', async () => {
    temporary.file('ten/data_batch_1.bin', records([[3], [5]]));
    temporary.file('ten/data_batch_2.bin', records([[9]]));
    temporary.file('ten/test_batch.bin', records([[1], [2], [0], [4]]));
    temporary.file('ten/batches.meta.txt', 'airplane\nautomobile\n\n');
    const train = await openDataset(at('ten'), { scale: 0.5 });
    assert.deepEqual(train.transform, { scale: 0.5 });
    assert.deepEqual(train.classes, ['airplane', 'automobile']);
    const items = await readAll(train);
    assert.deepEqual(
      items.map(({ label }) => label),
      [3, 5, 9],
    );
    assert.deepEqual(items[1]!.picture, { pixels: new Uint8Array(PIXELS).fill(20), shape: [3, 32, 32] });
    assert.equal(items[2]!.name, `${at('ten')}/data_batch_2.bin: record 0`);
    const test = await readAll(await openDataset(at('ten'), { subset: 'test' }));
    assert.deepEqual(
      test.map(({ label }) => label),
      [1, 2, 0, 4],
    );
    assert.equal((await cifar(at('ten/data_batch_1.bin'))).length, 2);
  });

  it('reads CIFAR-100 by its fine or its coarse labels', async () => {
    temporary.file(
      'hundred/train.bin',
      records([
        [3, 77],
        [19, 99],
      ]),
    );
    temporary.file('hundred/coarse_label_names.txt', 'fish\n');
    temporary.file(
      'hundred/other.bin',
      records([
        [3, 77],
        [19, 99],
        [1, 1],
      ]),
    );
    const labels = async (name: string, options: Parameters<typeof cifar>[1]): Promise<unknown> =>
      (await readAll(await cifar(at(name), options))).map(({ label }) => label);
    assert.deepEqual(await labels('hundred', {}), [77, 99]);
    assert.deepEqual(await labels('hundred', { labels: 'coarse' }), [3, 19]);
    assert.deepEqual(await labels('hundred/other.bin', {}), [77, 99, 1]);
    assert.deepEqual((await cifar(at('hundred'), { labels: 'coarse' })).classes, ['fish']);
  });

  it('tells of files that are cut short, empty or missing, and of labels that cannot be', async () => {
    const refused = (path: string, message: RegExp): Promise<void> =>
      assert.rejects(async () => readAll(await cifar(path)), { code: 'FORMAT', message });
    await refused(
      temporary.file('cut/data_batch_1.bin', records([[1]]).subarray(1)),
      /cut short, or not CIFAR.*3072 bytes$/,
    );
    await refused(temporary.file('cut/data_batch_2.bin'), /data_batch_2\.bin: empty/);
    temporary.file('none/readme.txt');
    await refused(at('none'), /none: expected the data_batch_N\.bin or train\.bin of CIFAR, got none$/);
    await refused(at('nowhere'), /no such file or folder$/);
    await refused(
      temporary.file('bad/data_batch_1.bin', records([[10]])),
      /record 0: expected a label from 0 to 9, got 10$/,
    );
  });
});
