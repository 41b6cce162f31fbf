import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import sharp from 'sharp';
import { learn } from '../../lib/cli/demo/learn.js';
import { nameFrom } from '../../lib/cli/demo/photos.js';
import { classes, drawExample, SIZE } from '../../lib/cli/demo/shapes.js';
import type { Timing } from '../../lib/cli/timing.js';
import { Random } from '../../lib/random.js';
import { cli } from '../support/cli.js';

interface Result {
  readonly alexnet: Timing;
  readonly learning: { readonly accuracy: number; readonly answers: readonly { shape: string; answer: string }[] };
  readonly sheet: string;
  readonly photos: {
    readonly accuracy: number;
    readonly seen: readonly { readonly image: string; readonly predictions: readonly unknown[] }[];
  };
}

describe('cortado demo', () => {
  it('draws the same pictures for the same seed, and every shape', () => {
    const series = (seed: number): ReturnType<typeof drawExample>[] => {
      const random = new Random(seed);
      return Array.from({ length: 100 }, () => drawExample(random));
    };
    const first = series(3);
    assert.deepEqual(series(3), first);
    assert.notDeepEqual(series(4), first);
    assert.deepEqual([...new Set(first.map(({ label }) => label))].sort(), [...classes.keys()]);
    for (const { image } of first) assert.equal(image.data.length, 3 * SIZE * SIZE);
  });

  it('learns to tell shapes apart that it has not seen, in under a minute', async function () {
    this.timeout(180_000);
    const folder = mkdtempSync(join(tmpdir(), 'cortado-'));
    try {
      const sheet = join(folder, 'sheet.png');
      const photo = join(folder, 'photo.jpg');
      await sharp({ create: { width: 40, height: 30, channels: 3, background: 'skyblue' } }).toFile(photo);
      const { code, stdout, stderr } = cli(['demo', '--batch', '1', '--sheet', sheet, '--json', '--photos', photo]);
      assert.equal(code, 0, stderr);
      const { alexnet, learning, photos } = JSON.parse(stdout) as Result;
      const card = readFileSync(join(import.meta.dirname, '..', '..', 'lib', 'trained', 'README.md'), 'utf8');
      assert.ok(card.includes(`| ${(100 * photos.accuracy).toFixed(2)} % |`), 'the accuracy is that of the model card');
      assert.deepEqual([photos.seen.length, photos.seen[0]!.image, photos.seen[0]!.predictions.length], [1, photo, 3]);
      assert.equal(alexnet.name, 'AlexNet');
      assert.ok(alexnet.backward!.milliseconds > 0);
      const right = learning.answers.filter(({ shape, answer }) => shape === answer).length;
      assert.equal(learning.accuracy, right / learning.answers.length);
      assert.ok(learning.accuracy >= 0.95, `${learning.accuracy}`);
      const { width, height, format } = await sharp(sheet).metadata();
      assert.equal(format, 'png');
      assert.ok(width > 400 && height > 400);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('knows the photograph that comes with the weights', async () => {
    const { seen } = await nameFrom(undefined, { device: 'cpu' });
    assert.deepEqual(
      seen.map(({ name, predictions }) => [basename(name), predictions[0]!.label]),
      [['cat.jpg', 'cat']],
    );
  });

  it('gives the same answers twice, and others for another seed', async function () {
    this.timeout(180_000);
    const short = (seed: number): ReturnType<typeof learn> =>
      learn({ seed, device: 'cpu', steps: 20, onStep: () => {} });
    const [first, again, other] = [await short(1), await short(1), await short(2)];
    assert.deepEqual(again.verdicts, first.verdicts);
    assert.equal(again.loss, first.loss);
    assert.notEqual(other.loss, first.loss);
  });
});
