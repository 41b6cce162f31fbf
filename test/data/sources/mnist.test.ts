import assert from 'node:assert/strict';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { mnist, openDataset } from '../../../lib/data/index.js';
import { readAll, scratch } from './support.js';

function idx(extents: readonly number[], bytes: Uint8Array, type = 8): Buffer {
  const header = Buffer.alloc(4 + 4 * extents.length);
  header.writeUInt32BE(type * 256 + extents.length);
  extents.forEach((extent, axis) => header.writeUInt32BE(extent, 4 + 4 * axis));
  return Buffer.concat([header, bytes]);
}

describe('mnist', () => {
  const temporary = scratch();
  const at = (name: string): string => join(temporary.path, name);
  const pixels = Uint8Array.from({ length: 3 * 2 * 4 }, (_, i) => i);
  const images = idx([3, 2, 4], pixels);
  const labels = idx([3], Uint8Array.of(7, 0, 9));

  it('reads plain and gzipped files, for training and test', async () => {
    temporary.file('plain/train-images-idx3-ubyte', images);
    temporary.file('plain/train-labels-idx1-ubyte', labels);
    temporary.file('zipped/t10k-images-idx3-ubyte.gz', gzipSync(images));
    temporary.file('zipped/t10k-labels-idx1-ubyte.gz', gzipSync(labels));
    temporary.file('dots/train-images.idx3-ubyte.gz', gzipSync(images));
    temporary.file('dots/train-labels.idx1-ubyte', labels);
    for (const dataset of [
      await openDataset(at('plain')),
      await openDataset(at('zipped'), { subset: 'test' }),
      await openDataset(at('dots')),
      await openDataset(at('plain/train-images-idx3-ubyte')),
    ]) {
      const items = await readAll(dataset);
      assert.deepEqual(
        items.map(({ label }) => label),
        [7, 0, 9],
      );
      assert.deepEqual(items[1]!.picture, { pixels: pixels.slice(8, 16), shape: [1, 2, 4] });
    }
  });

  it('tells of files that are cut short, missing or something else', async () => {
    let tried = 0;
    const refused = async (own: Uint8Array, of: Uint8Array | undefined, message: RegExp, end = ''): Promise<void> => {
      const folder = `bad${++tried}`;
      temporary.file(`${folder}/train-images-idx3-ubyte${end}`, own);
      if (of) temporary.file(`${folder}/train-labels-idx1-ubyte${end}`, of);
      await assert.rejects(async () => readAll(await mnist(at(folder))), { code: 'FORMAT', message });
    };
    await refused(images.subarray(0, 39), labels, /images-idx3-ubyte: cut short: expected 40 bytes, got 39$/);
    await refused(images, labels.subarray(0, 10), /labels-idx1-ubyte: cut short/);
    await refused(images.subarray(0, 9), labels, /not an IDX file of pictures, or cut short$/);
    await refused(idx([3, 2, 4], pixels, 9), labels, /not an IDX file of pictures/);
    await refused(images, idx([2], Uint8Array.of(1, 2)), /expected 3 labels, one for each picture, got 2$/);
    await refused(images, undefined, /labels-idx1-ubyte: no such file/);
    await refused(idx([0, 2, 4], new Uint8Array()), labels, /empty: got 0 x 2 x 4 bytes$/);
    const zipped = gzipSync(images);
    await refused(zipped.subarray(0, zipped.length - 12), gzipSync(labels), /cut short/, '.gz');
    await refused(gzipSync(images.subarray(0, 30)), gzipSync(labels), /cut short: expected 40 bytes, got 30$/, '.gz');
    await refused(gzipSync(Buffer.concat([images, images])), gzipSync(labels), /expected 40 bytes, got more$/, '.gz');
    await refused(images, labels, /damaged or cut short: incorrect header check$/, '.gz');
    await refused(gzipSync(idx([2 ** 31, 1, 4], pixels)), gzipSync(labels), /too many to be kept in memory/, '.gz');
    temporary.file('empty/readme', '');
    await assert.rejects(mnist(at('empty')), {
      code: 'FORMAT',
      message: /expected train-images-idx3-ubyte, got none$/,
    });
  });
});
