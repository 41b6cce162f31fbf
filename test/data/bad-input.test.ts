/** Pictures and settings of all kinds of badness: each is told, or named and left out, and nothing ends the process. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import sharp, { type Colour, type Sharp } from 'sharp';
import {
  imageFolder,
  imageList,
  lmdb,
  openDataset,
  openLoader,
  type Batch,
  type Item,
  type LoaderOptions,
} from '../../lib/data/index.js';
import { encodeDatum } from '../../lib/data/datum.js';
import { LmdbWriter } from '../../lib/data/lmdb/write.js';
import { plainPng, scratch } from './sources/support.js';

const flat = (width: number, height: number, channels: 3 | 4, background: Colour): Sharp =>
  sharp({ create: { width, height, channels, background } });

describe('a loader that is given bad pictures', function () {
  this.timeout(120_000);
  const temporary = scratch();
  const at = (name: string): string => join(temporary.path, name);
  const transform = { resize: 16, crop: 12 } as const;

  /** Everything that comes of a folder, in one pass. */
  async function pass(path: string, options: Partial<LoaderOptions> = {}): Promise<Batch> {
    await using loader = await openLoader(await openDataset(path), {
      batch: 100,
      phase: 'test',
      transform,
      ...options,
    });
    for await (const batch of loader) return batch;
    throw new Error('no batch');
  }

  it('names what cannot be read, and takes the rest', async () => {
    const jpeg = await sharp({
      create: {
        width: 64,
        height: 48,
        channels: 3,
        background: 'red',
        noise: { type: 'gaussian', mean: 99, sigma: 30 },
      },
    })
      .jpeg()
      .toBuffer();
    const wide = await flat(40_000, 20, 3, 'red').png().toBuffer();
    const png = Buffer.from(await plainPng(1, 2, 3, 20, 20));
    // The header claims 40,000 by 40,000 pixels.
    png.writeUInt32BE(40_000, 16);
    png.writeUInt32BE(40_000, 20);
    const files: Readonly<Record<string, string | Buffer>> = {
      'a-good.jpg': jpeg,
      'b-empty.jpg': '',
      'c-text.png': 'not a picture',
      'd-cut.jpg': jpeg.subarray(0, jpeg.length >> 1),
      'e-header.jpg': jpeg.subarray(0, 20),
      'f-huge.png': png,
      'g-wide.png': wide,
      'h-cut.png': (await flat(300, 300, 3, 'blue').png({ compressionLevel: 0 }).toBuffer()).subarray(0, 9000),
      'i-good.png': await plainPng(9, 9, 9, 30, 20),
    };
    for (const [name, content] of Object.entries(files)) temporary.file(`bad/x/${name}`, content);
    mkdirSync(at('bad/y/folder.jpg'), { recursive: true });
    symlinkSync(at('bad/nowhere'), at('bad/y/link.jpg'));
    const { names, bad } = await pass(at('bad'));
    const short = (name: string): string => name.slice(at('bad/').length);
    assert.deepEqual(names.map(short), ['x/a-good.jpg', 'x/g-wide.png', 'x/i-good.png']);
    assert.deepEqual(
      bad.map(({ name }) => short(name)),
      ['x/b-empty.jpg', 'x/c-text.png', 'x/d-cut.jpg', 'x/e-header.jpg', 'x/f-huge.png', 'x/h-cut.png', 'y/link.jpg'],
    );
    for (const { reason } of bad)
      assert.match(reason, /^(not a picture|a damaged picture|too large a picture|no such file)/);
    assert.match(bad[4]!.reason, /too large|damaged/);
  });

  it('takes CMYK, 16 bits, grey, transparency, animations and turned pictures as what they show', async () => {
    const red = { r: 200, g: 40, b: 20 };
    const frames = Buffer.concat(
      [red, { r: 0, g: 0, b: 255 }].map(({ r, g, b }) => Buffer.alloc(3 * 400, Buffer.of(r, g, b))),
    );
    const files: Readonly<Record<string, Buffer>> = {
      'a-cmyk.jpg': await flat(20, 20, 3, red).toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer(),
      'b-deep.png': await flat(20, 20, 3, red).toColourspace('rgb16').png().toBuffer(),
      'c-alpha.png': await flat(20, 20, 4, { ...red, alpha: 1 })
        .png()
        .toBuffer(),
      'd-moving.webp': await sharp(frames, { raw: { width: 20, height: 40, channels: 3, pageHeight: 20 } })
        .webp({ lossless: true })
        .toBuffer(),
      'e-turned.jpg': await flat(32, 20, 3, red).withMetadata({ orientation: 6 }).jpeg({ quality: 100 }).toBuffer(),
      'f-grey.png': await flat(20, 20, 3, { r: 77, g: 77, b: 77 }).toColourspace('b-w').png().toBuffer(),
      'g-clear.png': await flat(20, 20, 4, { ...red, alpha: 0 })
        .png()
        .toBuffer(),
    };
    for (const [name, content] of Object.entries(files)) temporary.file(`odd/x/${name}`, content);
    const { images, bad, size } = await pass(at('odd'));
    assert.deepEqual([bad, size], [[], 7]);
    const first = (n: number): number[] => [0, 144, 288].map((plane) => images.data[432 * n + plane]!);
    for (let n = 0; n < 5; n++) {
      // What ink cannot show is a little off.
      const most = n === 0 ? 25 : 3;
      first(n).forEach((value, c) =>
        assert.ok(Math.abs(value - [20, 40, 200][c]!) <= most, `${n}: ${first(n).join()}`),
      );
    }
    assert.deepEqual(first(5), [77, 77, 77]);
    assert.deepEqual(first(6), [255, 255, 255]);
  });

  it('counts pictures of another size, with the way out, where nothing makes them equal', async () => {
    temporary.file('sizes/x/0.png', await plainPng(1, 1, 1, 6, 4));
    temporary.file('sizes/x/1.png', await plainPng(1, 1, 1, 4, 6));
    const { size, bad } = await pass(at('sizes'), { transform: {} });
    assert.equal(size, 1);
    assert.match(
      bad[0]!.reason,
      /^expected a picture of \(3, 4, 6\) as the first one, got \(3, 6, 4\); resize and crop/,
    );
  });

  it('tells labels that are none of the classes, before the first batch where they are known', async () => {
    temporary.file('p.png', await plainPng(1, 1, 1));
    const list = await imageList(temporary.file('labels.txt', 'p.png 0\np.png 3\np.png -1\n'));
    const options = { batch: 3, phase: 'test', classes: 3 } as const;
    await assert.rejects(openLoader(list, options), {
      code: 'FORMAT',
      message: /labels\.txt, item 1: expected a label from 0 to 2, got 3$/,
    });
    mkdirSync(at('db'));
    const writer = await LmdbWriter.create(at('db/data.mdb'));
    for (const [i, label] of [0, 7, 2].entries()) {
      const value = encodeDatum({ channels: 1, height: 1, width: 1, data: Uint8Array.of(5), label });
      await writer.append(Buffer.from(`${i}`), Buffer.from(value));
    }
    await writer.finish();
    await using loader = await openLoader(await lmdb(at('db')), options);
    for await (const { labels, bad } of loader) {
      assert.deepEqual([...labels.data], [0, 2]);
      assert.deepEqual(bad, [{ name: `${at('db')}: 1`, reason: 'expected a label from 0 to 2, got 7' }]);
    }
  });

  it('tells folders that are missing, empty or may not be read', async () => {
    const refused = (path: string, message: RegExp): Promise<void> =>
      assert.rejects(openDataset(path), { code: 'FORMAT', message });
    mkdirSync(at('empty'));
    await refused(at('empty'), /empty: cannot tell what kind of data this is; expected one of imageFolder, /);
    await refused(at('nowhere'), /nowhere: no such file or folder$/);
    mkdirSync(at('hollow/cat'), { recursive: true });
    await refused(at('hollow'), /hollow: expected pictures in folders of classes, got none$/);
    await assert.rejects(imageFolder(at('empty')), { code: 'FORMAT', message: /expected a folder for each class/ });
    await refused(temporary.file('what.xyz', 'x'), /what\.xyz: cannot tell what kind of data this is/);
    await refused(temporary.file('empty.txt'), /empty\.txt: expected lines with a picture and its label, got none$/);
    await refused(
      temporary.file('words.txt', 'a.png cat\n'),
      /words\.txt, line 1: expected a path, a space and a whole number/,
    );
    // Who may do everything may read everything.
    if (process.getuid?.() === 0) return;
    temporary.file('locked/cat/0.png', await plainPng(1, 1, 1));
    chmodSync(at('locked'), 0);
    await refused(at('locked'), /locked: cannot be read/);
    chmodSync(at('locked'), 0o755);
  });

  it('finds the part of a folder that is asked for', async () => {
    temporary.file('parts/train/cat/0.png', await plainPng(1, 1, 1));
    temporary.file('parts/train/dog/1.png', await plainPng(1, 1, 1));
    temporary.file('parts/val/cat/2.png', await plainPng(1, 1, 1));
    assert.equal((await openDataset(at('parts'))).length, 2);
    assert.equal((await openDataset(at('parts'), { subset: 'test' })).length, 1);
    assert.equal((await openDataset(at('parts/train'), { subset: 'test' })).length, 2);
  });

  it('refuses items of its own that are none, and tells what their iterable throws', async () => {
    const open = async (item: unknown): Promise<unknown> => {
      async function* items(): AsyncGenerator<Item> {
        yield item as Item;
        throw new Error('the camera is gone');
      }
      await using loader = await openLoader(items(), { batch: 5, phase: 'train' });
      for await (const batch of loader) return batch;
      return undefined;
    };
    for (const item of [
      undefined,
      {},
      { name: 'x', picture: {}, label: 1 },
      { name: 'x', picture: { encoded: 5 }, label: 1 },
    ])
      await assert.rejects(open(item), { code: 'USAGE', message: /^items: expected \{ name, picture, label \}/ });
    const pixels = new Uint8Array(4);
    await assert.rejects(open({ name: 'x', picture: { pixels, shape: [1, 2, 2] }, label: 1 }), /the camera is gone/);
    await assert.rejects(open({ name: 'x', picture: { pixels, shape: [1, 2, 3] }, label: 1 }), /none of its|camera/);
  });
});
