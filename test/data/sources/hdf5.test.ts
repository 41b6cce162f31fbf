import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hdf5, openDataset, openLoader } from '../../../lib/data/index.js';
import { writeTree } from '../../../lib/hdf5/run.js';
import { leafOf, treeOf } from '../../../lib/hdf5/tree.js';
import { readArray } from '../../support/arrays.js';
import { fixtures } from '../../support/fixtures.js';
import { scratch } from './support.js';

describe('hdf5', function () {
  this.timeout(300_000);
  const temporary = scratch();
  const at = (name: string): string => join(temporary.path, name);

  it("reads Caffe's list of HDF5 files to the same numbers", async function () {
    const folder = fixtures('solver');
    if (folder === undefined) this.skip();
    const dataset = await openDataset(join(folder, 'train_list.txt'));
    const [data, label] = [await readArray(folder, 'data.npy'), await readArray(folder, 'label.npy')];
    await using loader = await openLoader(dataset, { batch: dataset.length, phase: 'test' });
    for await (const { images, labels } of loader) {
      assert.deepEqual(images.shape, data.shape);
      assert.deepEqual(images.data, data.data);
      assert.deepEqual(labels.data, label.data);
    }
  });

  it('reads rows of several files, labels of any shape, numbers of any type', async () => {
    const numbers = (length: number, from: number): Float64Array =>
      Float64Array.from({ length }, (_, i) => from + i / 2);
    const write = (name: string, rows: number, from: number): Promise<void> =>
      writeTree(
        at(name),
        treeOf([
          ['pixels', leafOf(numbers(rows * 5, from), [rows, 5])],
          [
            'boxes',
            leafOf(
              Int32Array.from({ length: rows * 6 }, (_, i) => i + from),
              [rows, 2, 3],
            ),
          ],
        ]),
      );
    await write('a.h5', 3, 0);
    await write('b.h5', 2, 100);
    temporary.file('list.txt', 'a.h5\n\nb.h5\n');
    const dataset = await hdf5(at('list.txt'), { names: { data: 'pixels', label: 'boxes' } });
    assert.deepEqual([dataset.length, dataset.labelShape], [5, [2, 3]]);
    await using loader = await openLoader(dataset, { batch: 4, phase: 'test' });
    assert.deepEqual(loader.shape, [5, 1, 1]);
    const batches = [];
    for await (const batch of loader) batches.push(batch);
    const expected = [...numbers(15, 0), ...numbers(10, 100)];
    assert.deepEqual(
      batches.flatMap(({ images }) => [...images.data]),
      expected,
    );
    assert.deepEqual(batches[1]!.labels, { data: Float32Array.of(106, 107, 108, 109, 110, 111), shape: [1, 2, 3] });
  });

  it('tells of files that are missing, cut short or different', async () => {
    const data = leafOf(new Float32Array(8), [2, 4]);
    await writeTree(
      at('good.h5'),
      treeOf([
        ['data', data],
        ['label', leafOf(new Float32Array(2), [2])],
      ]),
    );
    await writeTree(
      at('fewer.h5'),
      treeOf([
        ['data', data],
        ['label', leafOf(new Float32Array(3), [3])],
      ]),
    );
    await writeTree(
      at('other.h5'),
      treeOf([
        ['data', leafOf(new Float32Array(6), [2, 3])],
        ['label', leafOf(new Float32Array(2), [2])],
      ]),
    );
    const refused = (path: string, message: RegExp): Promise<void> =>
      assert.rejects(hdf5(path), { code: 'FORMAT', message });
    await refused(at('none.h5'), /none\.h5: no such file/);
    await refused(temporary.file('none.txt', 'none.h5\n'), /none\.h5: no such file/);
    await refused(temporary.file('empty.txt'), /expected lines with an HDF5 file each, got none$/);
    await refused(at('fewer.h5'), /expected 2 labels, one for each row, got 3$/);
    await refused(
      temporary.file('both.txt', 'good.h5\nother.h5'),
      /other\.h5: expected rows of \(4\) .* as in .*good\.h5, got \(3\)/,
    );
    await assert.rejects(hdf5(at('good.h5'), { names: { data: 'x', label: 'label' } }), {
      code: 'FORMAT',
      message: /expected an array "x", got data, label$/,
    });
    const whole = readFileSync(at('good.h5'));
    await refused(temporary.file('cut.h5', whole.subarray(0, whole.length >> 1)), /cut\.h5: not a readable HDF5 file/);
  });
});
