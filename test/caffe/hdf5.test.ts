import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  matchWeights,
  readCaffemodel,
  readSolverstate,
  writeCaffemodel,
  writeSolverstate,
  type CaffeModel,
  type LayerWeights,
} from '../../lib/caffe/index.js';
import { writeTree, readTree } from '../../lib/hdf5/run.js';
import { leafOf, treeOf } from '../../lib/hdf5/tree.js';
import { fixtures } from '../support/fixtures.js';

const byName = ({ layers }: CaffeModel): LayerWeights[] =>
  [...layers].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));

/** Names, shapes and numbers: all that HDF5 keeps. */
const content = (model: CaffeModel): unknown =>
  byName(model).map(({ name, blobs }) => ({ name, blobs: blobs.map(({ shape, data }) => ({ shape, data })) }));

// Each call starts a thread with a library of four megabytes, which the tests' compiler goes through first.
describe('HDF5 snapshots', function () {
  this.timeout(120_000);
  const folder = mkdtempSync(join(tmpdir(), 'cortado-hdf5-'));
  const at = (name: string): string => join(folder, name);
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('of Caffe hold what its binary snapshots of the same nets hold', async function () {
    const caffe = fixtures('');
    if (caffe === undefined) return this.skip();
    for (const path of ['nets/cifar10_quick/weights.caffemodel', 'solver/sgd_fixed/snap_iter_4.caffemodel']) {
      const binary = await readCaffemodel(join(caffe, path));
      assert.deepEqual(content(await readCaffemodel(join(caffe, `${path}.h5`))), content(binary));
    }
    const path = join(caffe, 'solver/sgd_fixed/snap_iter_4.solverstate');
    const [binary, hdf5] = [await readSolverstate(path), await readSolverstate(`${path}.h5`)];
    const { learnedNet, ...rest } = hdf5;
    const { learnedNet: other, ...same } = binary;
    assert.deepEqual(rest, same);
    assert.notEqual(learnedNet, other);
    assert.equal(learnedNet, 'snaph5_iter_4.caffemodel.h5');
  });

  it('come back as they were written, in the form that Caffe gives them', async () => {
    const model: CaffeModel = {
      name: '',
      layers: [
        { name: 'a', type: '', blobs: [blob([2, 3], 1), blob([3], 2)] },
        { name: 'inception/1x1', type: '', blobs: [blob([1, 1, 2, 2], 3)] },
        { name: 'inception/b/0', type: '', blobs: [] },
      ],
    };
    const before = structuredClone(model);
    await writeCaffemodel(at('own.caffemodel.h5'), model);
    assert.deepEqual(model, before);
    const back = await readCaffemodel(at('own.caffemodel.h5'), { diffs: true });
    assert.deepEqual(byName(back), model.layers);
    const state = {
      iteration: 7,
      learnedNet: 'x/own.caffemodel.h5',
      currentStep: 2,
      history: [blob([2, 3], 4, false)],
    };
    await writeSolverstate(at('own.solverstate.h5'), state);
    assert.deepEqual(await readSolverstate(at('own.solverstate.h5')), state);
    assert.deepEqual(readdirSync(folder).sort(), ['own.caffemodel.h5', 'own.solverstate.h5']);
    // The library that Caffe reads texts with takes those of a fixed length alone: class string, 20 bytes with the zero.
    const bytes = readFileSync(at('own.solverstate.h5'));
    assert.ok(bytes.includes('x/own.caffemodel.h5\0'));
  });

  it('leave out shared weights, whose places stay free', async () => {
    const own = treeOf([['1', leafOf(Float32Array.of(5, 6), [2])]]);
    await writeTree(at('shared.h5'), treeOf([['data', treeOf([['twin', own]])]]));
    const [twin] = (await readCaffemodel(at('shared.h5'))).layers;
    assert.deepEqual(Object.keys(twin!.blobs), ['1']);
    const params = [
      { name: 'weight', shape: [3] },
      { name: 'bias', shape: [2] },
    ] as unknown as Parameters<typeof matchWeights>[0]['layers'][number]['params'];
    const weights = matchWeights({ layers: [{ name: 'twin', params }] }, { name: '', layers: [twin!] });
    assert.deepEqual(weights, { bias: { data: Float32Array.of(5, 6), shape: [2] } });
  });

  it('of other numbers become float32', async () => {
    const layer = treeOf([
      ['0', leafOf(Float64Array.of(0.1, 2), [2])],
      ['1', leafOf(Int32Array.of(-3), [1])],
    ]);
    await writeTree(at('wide.h5'), treeOf([['data', treeOf([['wide', layer]])]]));
    const [wide] = (await readCaffemodel(at('wide.h5'))).layers;
    assert.deepEqual(
      wide!.blobs.map(({ data }) => data),
      [Float32Array.of(0.1, 2), Float32Array.of(-3)],
    );
  });

  it('that are missing, cut short or something else are refused', async () => {
    const refuses = (path: string, message: RegExp): Promise<void> =>
      assert.rejects(readCaffemodel(at(path)), { code: 'FORMAT', message });
    await refuses('none.h5', /none\.h5: no such file$/);
    writeFileSync(at('text.h5'), 'text'.repeat(999));
    await refuses('text.h5', /text\.h5: not a readable HDF5 file: file signature not found$/);
    await writeTree(
      at('whole.h5'),
      treeOf([['data', treeOf([['a', treeOf([['x', leafOf(Float32Array.of(1), [1])]])]])]]),
    );
    await refuses('whole.h5', /whole\.h5: data\/a\/x: expected the number of a blob$/);
    writeFileSync(at('cut.h5'), readFileSync(at('whole.h5')).subarray(0, -1));
    await refuses('cut.h5', /cut\.h5: not a readable HDF5 file: truncated file/);
    await writeTree(at('other.h5'), treeOf([['label', leafOf(Float32Array.of(1), [1])]]));
    await refuses('other.h5', /other\.h5: expected a group "data", got label$/);
    await assert.rejects(readSolverstate(at('other.h5')), { message: /expected a group "history", got label$/ });
    await assert.rejects(readTree(folder, { values: true }), { code: 'FORMAT' });
    await assert.rejects(
      writeCaffemodel(at('bad.h5'), {
        name: '',
        layers: [{ name: 'a', type: '', blobs: [{ ...blob([2], 1), shape: [3] }] }],
      }),
      { code: 'SHAPE' },
    );
    assert.ok(!readdirSync(folder).some((name) => name.startsWith('bad')));
  });
});

function blob(shape: readonly number[], seed: number, diff = true): LayerWeights['blobs'][number] {
  const length = shape.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length }, (_, i) => Math.sin(seed * 100 + i));
  return { shape, data, ...(diff && { diff: data.map((value) => 2 * value) }) };
}
