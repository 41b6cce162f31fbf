import assert from 'node:assert/strict';
import sharp from 'sharp';
import { components } from '../../lib/data/colours.js';
import { colourComponents, computeMean, imageFolder, imageList, lmdb, openLoader } from '../../lib/data/index.js';
import { Random } from '../../lib/index.js';
import { readArray } from '../support/arrays.js';
import { dataFixtures, plainPng, scratch } from './sources/support.js';

describe('the mean of a dataset', function () {
  this.timeout(60_000);
  const temporary = scratch();

  for (const name of ['lmdb_raw', 'lmdb_raw_resized', 'lmdb_encoded_png']) {
    it(`is what compute_image_mean of Caffe gives, at any number of workers: ${name}`, async function () {
      const data = dataFixtures();
      if (!data) this.skip();
      const { data: expected } = await readArray(data.folder, `mean_${name}.npy`);
      const dataset = await lmdb(`${data.folder}/${name}`);
      for (const workers of [1, 3]) {
        const mean = await computeMean(dataset, { workers });
        assert.deepEqual(mean.data, expected);
        assert.equal(mean.shape.length, 3);
      }
    });
  }

  it('leaves out what it cannot read, tells how far it is, and can be ended', async () => {
    temporary.file('set/a/0.png', await plainPng(10, 20, 30));
    temporary.file('set/a/1.png', await plainPng(20, 40, 60));
    temporary.file('set/b/2.png', 'no picture');
    temporary.file('set/b/3.png', await plainPng(30, 60, 91));
    const folder = await imageFolder(`${temporary.path}/set`);
    const progress: unknown[] = [];
    const bad: string[] = [];
    const mean = await computeMean(folder, {
      onProgress: (...told) => progress.push(told),
      onBad: ({ name }) => bad.push(name),
    });
    assert.deepEqual(mean.shape, [3, 4, 6]);
    assert.deepEqual([mean.data[0], mean.data[24], mean.data[48]], [Math.fround(181 / 3), 40, 20]);
    assert.deepEqual(progress.at(-1), [4, 4]);
    assert.deepEqual(bad, [`${temporary.path}/set/b/2.png`]);
    await assert.rejects(computeMean(folder, { mostBad: 0 }), { code: 'FORMAT', message: /more than 0 pictures/ });
    await assert.rejects(computeMean(folder, { signal: AbortSignal.abort(new Error('enough')) }), {
      message: 'enough',
    });
  });
});

describe('the principal components of colours', function () {
  this.timeout(60_000);
  const temporary = scratch();

  it('are the eigenvectors of a symmetric matrix, the largest first', () => {
    const random = new Random(4);
    for (let n = 1; n <= 5; n++) {
      const matrix = Array.from({ length: n }, () => Array.from({ length: n }, () => 0));
      for (let i = 0; i < n; i++) for (let k = 0; k <= i; k++) matrix[i]![k] = matrix[k]![i] = random.uniform(-1, 1);
      const { values, vectors } = components(matrix);
      assert.deepEqual(
        [...values].sort((a, b) => b - a),
        values,
      );
      vectors.forEach((vector, v) => {
        assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-12);
        matrix.forEach((row, i) => {
          const product = row.reduce((sum, element, k) => sum + element * vector[k]!, 0);
          assert.ok(Math.abs(product - values[v]! * vector[i]!) < 1e-12);
        });
      });
    }
  });

  it('are found in the pictures, and move them, the same at any number of workers', async () => {
    // Noise along one direction: blue, green, red in the ratio 2 : 1 : -1.
    const random = new Random(5);
    for (let n = 0; n < 5; n++) {
      const pixels = new Uint8Array(3 * 400);
      for (let i = 0; i < 400; i++) {
        const step = Math.round(12 * random.normal());
        pixels.set([128 - step, 128 + step, 128 + 2 * step], 3 * i);
      }
      const raw = { width: 20, height: 20, channels: 3 } as const;
      temporary.file(`noise/${n}.png`, await sharp(pixels, { raw }).png().toBuffer());
    }
    const list = await imageList(
      temporary.file('noise.txt', [0, 1, 2, 3, 4].map((n) => `noise/${n}.png ${n}`).join('\n')),
      { jitter: 0.5 },
    );
    const { values, vectors } = await colourComponents(list, { workers: 2 });
    const [blue, green, red] = vectors[0]!;
    assert.ok(Math.abs(blue! / green! - 2) < 1e-9 && Math.abs(red! / green! + 1) < 1e-9, String(vectors[0]));
    assert.ok(Math.abs(values[0]! / ((6 * 144) / 255 ** 2) - 1) < 0.1, String(values));
    assert.ok(Math.abs(values[1]!) < 1e-12);
    const shifts: Float32Array[] = [];
    for (const workers of [1, 3]) {
      await using loader = await openLoader(list, { batch: 50, phase: 'train', workers });
      for await (const { images } of loader) {
        shifts.push(images.shift!);
        break;
      }
    }
    assert.deepEqual(shifts[0], shifts[1]);
    assert.ok(Math.abs(shifts[0]![0]! / shifts[0]![1]! - 2) < 1e-3);
    await assert.rejects(openLoader(list, { batch: 1, phase: 'train', transform: { jitter: -1 } }), {
      code: 'USAGE',
      message: /^jitter: /,
    });
  });
});
