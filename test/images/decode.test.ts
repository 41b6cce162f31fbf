import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { FormatError } from '../../lib/errors.js';
import { openImage } from '../../lib/images/decode.js';
import { decodeImage } from '../../lib/images/index.js';

const red = { r: 250, g: 20, b: 10 };
const plain = (): Sharp => sharp({ create: { width: 24, height: 16, channels: 3, background: red } });

async function firstPixel(bytes: Uint8Array): Promise<number[]> {
  const image = await decodeImage(bytes);
  assert.equal(image.data.length, 3 * image.width * image.height);
  return Array.from(image.data.subarray(0, 3));
}

function near(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  assert.equal(actual.length, expected.length);
  actual.forEach((v, i) =>
    assert.ok(Math.abs(v - expected[i]!) <= tolerance, `${actual.join(' ')} ≠ ${expected.join(' ')}`),
  );
}

/** A PNG that claims another size. */
function claiming(png: Buffer, width: number, height: number): Buffer {
  const made = Buffer.from(png);
  made.writeUInt32BE(width, 16);
  made.writeUInt32BE(height, 20);
  made.writeInt32BE(crc32(made.subarray(12, 29)), 29);
  return made;
}

function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc;
}

describe('decodeImage', () => {
  it('reads every format', async () => {
    for (const format of ['jpeg', 'png', 'webp', 'gif', 'avif', 'tiff'] as const) {
      near(await firstPixel(await plain().toFormat(format).toBuffer()), [250, 20, 10], 6);
    }
  });

  it('turns grey, 16 bits and CMYK into 8-bit RGB', async () => {
    near(
      await firstPixel(await plain().greyscale().png().toBuffer()),
      await firstPixel(await plain().greyscale().jpeg().toBuffer()),
      2,
    );
    const wide = await plain().toColourspace('rgb16').png().toBuffer();
    assert.equal((await sharp(wide).metadata()).depth, 'ushort');
    near(await firstPixel(wide), [250, 20, 10], 1);
    const wideGrey = await plain().greyscale().toColourspace('grey16').png().toBuffer();
    const [r, g, b] = await firstPixel(wideGrey);
    assert.ok(r === g && g === b && r! > 20 && r! < 200, `${r} ${g} ${b}`);
    const cmyk = await plain().toColourspace('cmyk').jpeg({ quality: 95 }).toBuffer();
    assert.equal((await sharp(cmyk).metadata()).space, 'cmyk');
    const [cr, cg, cb] = await firstPixel(cmyk);
    assert.ok(cr! > 180 && cg! < 90 && cb! < 90, `${cr} ${cg} ${cb}`);
  });

  it('shows white through transparency', async () => {
    const clear = { width: 8, height: 8, channels: 4, background: { ...red, alpha: 0 } } as const;
    assert.deepEqual(await firstPixel(await sharp({ create: clear }).png().toBuffer()), [255, 255, 255]);
    assert.deepEqual(await firstPixel(await sharp({ create: clear }).webp().toBuffer()), [255, 255, 255]);
  });

  it('takes the first picture of an animation', async () => {
    const pages = Buffer.alloc(3 * 4 * 8);
    pages.fill(200, 0, 48).fill(10, 48);
    const two = sharp(pages, { raw: { width: 4, height: 8, channels: 3, pageHeight: 4 } });
    const gif = await two.gif().toBuffer();
    assert.equal((await sharp(gif).metadata()).pages, 2);
    const image = await decodeImage(gif);
    assert.deepEqual([image.width, image.height], [4, 4]);
    near(Array.from(image.data.subarray(0, 3)), [200, 200, 200], 8);
  });

  it('applies the orientation of a camera', async () => {
    const turned = await plain().jpeg().withMetadata({ orientation: 6 }).toBuffer();
    const image = await decodeImage(turned);
    assert.deepEqual([image.width, image.height], [16, 24]);
  });

  it('leaves colours as they are stored, whatever the profile', async () => {
    const profiled = await plain().png().withIccProfile('p3').toBuffer();
    const stored = await sharp(profiled, { ignoreIcc: true }).raw().toBuffer();
    assert.deepEqual(await firstPixel(profiled), Array.from(stored.subarray(0, 3)));
    assert.notDeepEqual(await firstPixel(profiled), [250, 20, 10]);
  });

  it('halves a picture to be shrunk as long as it stays twice as large', async () => {
    const opened = await openImage(await plain().resize(803, 400).jpeg().toBuffer());
    for (const [target, extents] of [
      [
        [200, 401],
        [400, 803],
      ],
      [
        [100, 200],
        [200, 402],
      ],
      [
        [30, 50],
        [100, 201],
      ],
      [
        [2, 2],
        [50, 101],
      ],
    ] as const) {
      const { height, width, data } = await opened.decode(target);
      assert.deepEqual([height, width], extents);
      near(Array.from(data.subarray(0, 3)), [250, 20, 10], 4);
    }
  });

  it('names what is no picture, and goes on living', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cortado-'));
    const jpeg = await sharp({
      create: {
        width: 300,
        height: 300,
        channels: 3,
        background: red,
        noise: { type: 'gaussian', mean: 128, sigma: 60 },
      },
    })
      .jpeg()
      .toBuffer();
    const png = await plain().png().toBuffer();
    const bad: Record<string, [Buffer, RegExp]> = {
      'text.jpg': [Buffer.from('This is not a picture.'), /text\.jpg: not a picture/],
      'empty.png': [Buffer.alloc(0), /empty\.png: /],
      'cut.jpg': [jpeg.subarray(0, jpeg.length >> 1), /cut\.jpg: a damaged picture/],
      'head.jpg': [jpeg.subarray(0, 40), /head\.jpg: /],
      'huge.png': [claiming(png, 60_000, 60_000), /huge\.png: too large a picture/],
      'negative.png': [claiming(png, 0xffffffff, 0xffffffff), /negative\.png: /],
    };
    try {
      for (const [name, [bytes, message]] of Object.entries(bad)) {
        writeFileSync(join(folder, name), bytes);
        const matches = (error: unknown): boolean => error instanceof FormatError && message.test(error.message);
        await assert.rejects(decodeImage(join(folder, name)), matches, name);
        await assert.rejects(decodeImage(bytes, { name }), matches, name);
      }
      await assert.rejects(decodeImage(join(folder, 'missing.jpg')), /missing\.jpg: no such file/);
      await assert.rejects(decodeImage(folder), FormatError);
      await assert.rejects(decodeImage(jpeg, { maxPixels: 1000 }), /image: too large a picture/);
      assert.equal((await decodeImage(jpeg)).width, 300);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
