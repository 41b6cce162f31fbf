import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { encodeNpy, readNpy } from '../../lib/npy.js';
import { FormatError, ShapeError, UsageError } from '../../lib/errors.js';
import { decodeImage, preprocess, readMean, resizeImage, type Image } from '../../lib/images/index.js';
import { realData } from '../support/cases.js';

/** Pixel (x, y) channel c has the value f(x, y, c). */
function drawn(width: number, height: number, f: (x: number, y: number, c: number) => number): Image {
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < data.length; i++) data[i] = f(Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3);
  return { data, width, height };
}

const coded = drawn(6, 4, (x, y, c) => 100 * c + 10 * y + x);

describe('resizeImage', () => {
  it('averages all that a pixel covers when shrinking', async () => {
    const stripes = drawn(64, 64, (x) => (x % 2) * 200);
    const { data } = await resizeImage(stripes, 8, 8);
    for (const v of data) assert.ok(Math.abs(v - 100) <= 8, `${v}`);
  });

  it('interpolates between centres when enlarging', async () => {
    const two = drawn(2, 1, (x) => 100 * x);
    const { data } = await resizeImage(two, 4, 1);
    assert.deepEqual(
      Array.from(data).filter((_, i) => i % 3 === 0),
      [0, 25, 75, 100],
    );
  });

  it('keeps flat colours exact and stays between the darkest and the lightest, at any extents', async () => {
    const size = fc.integer({ min: 1, max: 40 });
    await fc.assert(
      fc.asyncProperty(size, size, size, size, fc.integer({ min: 0, max: 255 }), async (w, h, width, height, value) => {
        const flat = await resizeImage(
          drawn(w, h, () => value),
          width,
          height,
        );
        assert.ok(flat.data.every((v) => v === value));
        const noise = drawn(w, h, (x, y, c) => 40 + ((x * 7919 + y * 104729 + c * 31 + value) % 150));
        const made = await resizeImage(noise, width, height);
        assert.equal(made.data.length, 3 * width * height);
        assert.ok(made.data.every((v) => v >= 40 && v <= 190));
      }),
    );
  });

  it('refuses extents that are none', async () => {
    for (const bad of [0, -1, 1.5, NaN, 1e9]) await assert.rejects(resizeImage(coded, bad, 4), UsageError);
  });

  it('lets the event loop breathe', async () => {
    const large = drawn(4000, 3000, (x) => x % 256);
    let turns = 0;
    let resizing = true;
    const turn = (): void => {
      turns++;
      if (resizing) setImmediate(turn);
    };
    setImmediate(turn);
    await resizeImage(large, 256, 256);
    resizing = false;
    // 70 million multiplications: no more than four in one go.
    assert.ok(turns >= 17, `${turns} turns of the event loop`);
  });
});

describe('preprocess', () => {
  it('makes planes of blue, green, red, minus the mean, times the scale', async () => {
    const out = await preprocess(coded, { mean: [1, 2, 3], scale: 0.5 });
    assert.equal(out.length, 72);
    assert.deepEqual([out[0], out[24], out[48]], [(200 - 1) / 2, (100 - 2) / 2, -3 / 2]);
    assert.equal(out[6 + 1], (211 - 1) / 2);
    const rgb = await preprocess(coded, { channelOrder: 'rgb', scale: [1, 2, 4] });
    assert.deepEqual([rgb[0], rgb[24], rgb[48]], [0, 200, 800]);
    const grey = await preprocess(coded, { channelOrder: 'grey' });
    assert.equal(grey.length, 24);
    assert.equal(grey[0], Math.round(0.587 * 100 + 0.114 * 200));
  });

  it('cuts out of the middle, rounding down', async () => {
    const out = await preprocess(coded, { crop: [3, 3], channelOrder: 'rgb' });
    assert.deepEqual(Array.from(out.subarray(0, 9)), [1, 2, 3, 11, 12, 13, 21, 22, 23]);
  });

  it('takes a picture of means at the place before the cut', async () => {
    const data = Float32Array.from({ length: 72 }, (_, i) => i % 24);
    const out = await preprocess(
      drawn(6, 4, () => 100),
      { crop: 2, mean: { data, shape: [3, 4, 6] } },
    );
    assert.deepEqual(Array.from(out.subarray(0, 4)), [100 - 8, 100 - 9, 100 - 14, 100 - 15]);
    const larger = Float32Array.from({ length: 3 * 16 }, (_, i) => i % 16);
    const own = await preprocess(
      drawn(6, 4, () => 100),
      { crop: 2, mean: { data: larger, shape: [3, 4, 4] } },
    );
    assert.deepEqual(Array.from(own.subarray(0, 4)), [100 - 5, 100 - 6, 100 - 9, 100 - 10]);
  });

  it('makes ten crops, each pixel meeting the mean of its own place', async () => {
    const picture = drawn(6, 4, (x, y) => 10 * y + x);
    const mean = Float32Array.from({ length: 72 }, (_, i) => 10 * Math.floor((i % 24) / 6) + (i % 6));
    const out = await preprocess(picture, { crop: 2, oversample: true });
    const first = (i: number): number[] => Array.from(out.subarray(12 * i, 12 * i + 4));
    assert.equal(out.length, 120);
    assert.deepEqual(first(0), [0, 1, 10, 11]);
    assert.deepEqual(first(3), [24, 25, 34, 35]);
    assert.deepEqual(first(4), [12, 13, 22, 23]);
    assert.deepEqual(first(9), [13, 12, 23, 22]);
    const zero = await preprocess(picture, { crop: 2, oversample: true, mean: { data: mean, shape: [3, 4, 6] } });
    assert.ok(zero.every((v) => v === 0));
  });

  it('refuses what does not fit', async () => {
    await assert.rejects(preprocess(coded, { crop: 5 }), ShapeError);
    await assert.rejects(preprocess(coded, { crop: 0 }), ShapeError);
    await assert.rejects(preprocess(coded, { mean: [1, 2] }), ShapeError);
    await assert.rejects(preprocess(coded, { mean: { data: new Float32Array(12), shape: [3, 2, 2] } }), ShapeError);
    await assert.rejects(preprocess(coded, { scale: [1, NaN, 1] }), UsageError);
  });

  it('gives the pixels that Caffe was given', async function () {
    const folder = realData('squeezenet');
    if (folder === undefined) return this.skip();
    const recorded = await readNpy(join(folder, 'pixels_8x3x227x227_uint8.npy'));
    const answers = JSON.parse(readFileSync(join(folder, 'caffe_answers.json'), 'utf8')) as {
      order_of_pixels: string[];
    };
    for (const [i, name] of answers.order_of_pixels.entries()) {
      const image = await decodeImage(join(folder, 'images', name));
      const pixels = await preprocess(image, { resize: 256, crop: 227 });
      const expected = recorded.data.subarray(i * pixels.length, (i + 1) * pixels.length);
      const different = pixels.reduce((n, v, at) => n + Number(v !== expected[at]), 0);
      assert.ok(different <= pixels.length * 1e-3, `${name}: ${different} of ${pixels.length} pixels differ`);
    }
  });
});

describe('readMean', () => {
  it('reads numbers and .npy files', async () => {
    assert.deepEqual(await readMean('104, 117,123.5'), [104, 117, 123.5]);
    assert.deepEqual(await readMean('1e2'), [100]);
    const folder = mkdtempSync(join(tmpdir(), 'cortado-'));
    try {
      const image = { data: new Float32Array(3 * 4 * 5).fill(7), shape: [3, 4, 5] };
      writeFileSync(join(folder, 'mean.npy'), encodeNpy(image));
      assert.deepEqual(await readMean(join(folder, 'mean.npy')), image);
      writeFileSync(join(folder, 'flat.npy'), encodeNpy({ data: Float32Array.of(1, 2, 3), shape: [3] }));
      assert.deepEqual(await readMean(join(folder, 'flat.npy')), [1, 2, 3]);
      writeFileSync(join(folder, 'bad.npy'), encodeNpy({ data: new Float32Array(4), shape: [2, 2] }));
      await assert.rejects(readMean(join(folder, 'bad.npy')), FormatError);
      await assert.rejects(readMean(join(folder, 'none.binaryproto')), FormatError);
    } finally {
      rmSync(folder, { recursive: true });
    }
    await assert.rejects(readMean('1,,2'), UsageError);
  });
});
