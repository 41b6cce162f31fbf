/** Resizing and cutting in native code, against the same in double precision. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { cutPicture, GREY, type NativeCut } from '../../lib/native.js';

type Extents = readonly [height: number, width: number];

interface Picture {
  readonly data: Uint8Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** A triangle's weight of every input, for one output. */
function triangle(from: number, to: number, output: number): readonly number[] {
  const scale = from / to;
  const reach = Math.max(1, scale);
  const centre = (output + 0.5) * scale - 0.5;
  const weights = Array.from({ length: from }, (_, i) => Math.max(0, 1 - Math.abs(i - centre) / reach));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / total);
}

/** One resized pixel; what lies between the two directions is rounded to a byte, as it is in native code. */
function pixel(
  { data, channels, height, width }: Picture,
  [tall, wide]: Extents,
  y: number,
  x: number,
  c: number,
): number {
  const across = triangle(width, wide, x);
  const rows = Array.from({ length: height }, (_, row) =>
    Math.floor(across.reduce((sum, w, i) => sum + w * data[channels * (row * width + i) + c]!, 0.5)),
  );
  return triangle(height, tall, y).reduce((sum, w, i) => sum + w * rows[i]!, 0);
}

const extent = fc.integer({ min: 1, max: 24 });
const picture = fc
  .tuple(fc.constantFrom(1, 3), extent, extent, fc.nat())
  .map(([channels, height, width, seed]) => pictureOf(channels, height, width, seed));

function pictureOf(channels: number, height: number, width: number, seed: number): Picture {
  const data = Uint8Array.from({ length: channels * height * width }, (_, i) => (i * 7919 + seed) % 251);
  return { data, channels, height, width };
}

/** Windows that lie in `resized`. */
function windowsIn([tall, wide]: Extents, seed: number): { extents: Extents; windows: number[] } {
  const extents = [1 + (seed % tall), 1 + ((seed >> 3) % wide)] as const;
  const windows = [0, 1, 2].flatMap((i) => [
    (seed >> i) % (tall - extents[0] + 1),
    (seed >> (2 * i)) % (wide - extents[1] + 1),
    (seed >> i) & 1,
  ]);
  return { extents, windows };
}

describe('cutPicture', () => {
  it('resizes, cuts and mirrors as double precision does, any window of any picture', () => {
    fc.assert(
      fc.property(picture, extent, extent, fc.nat(), fc.boolean(), (source, tall, wide, seed, same) => {
        const resized = same ? ([source.height, source.width] as const) : ([tall, wide] as const);
        const { extents, windows } = windowsIn(resized, seed);
        const planes = source.channels === 3 ? [2, 0, 1, GREY] : [0, 0];
        const [height, width] = extents;
        const out = new Uint8Array(3 * planes.length * height * width);
        cutPicture({ ...source, resized, extents, windows: Int32Array.from(windows), planes, out });
        for (let i = 0, at = 0; i < 3; i++) {
          const [top, left, mirrored] = windows.slice(3 * i) as [number, number, number];
          for (const plane of planes) {
            for (let y = 0; y < height; y++) {
              for (let x = 0; x < width; x++, at++) {
                const own = (c: number): number =>
                  pixel(source, resized, top + y, left + (mirrored ? width - 1 - x : x), c);
                const expected = plane === GREY ? 0.299 * own(0) + 0.587 * own(1) + 0.114 * own(2) : own(plane);
                // Where pixels lie between the directions a tie may round the other way; grey is rounded once more.
                const limit = plane === GREY ? 2.01 : 1.51;
                assert.ok(Math.abs(out[at]! - expected) <= limit, `${out[at]} for ${expected}, plane ${plane}`);
              }
            }
          }
        }
      }),
      // Ties in all channels of two rows, on the way to grey.
      { numRuns: 60, examples: [[pictureOf(3, 2, 21, 53), 1, 18, 1687344, false]] },
    );
  });

  it('gives pixels as they lie where no planes are asked for', () => {
    const data = Uint8Array.from({ length: 3 * 4 * 5 }, (_, i) => i);
    const out = new Uint8Array(3 * 2 * 2);
    const whole = { data, channels: 3, height: 4, width: 5, resized: [4, 5], extents: [2, 2] } as const;
    cutPicture({ ...whole, windows: Int32Array.of(1, 2, 0), out });
    assert.deepEqual([...out], [21, 22, 23, 24, 25, 26, 36, 37, 38, 39, 40, 41]);
  });

  it('refuses what does not fit, before it touches anything', () => {
    const good: NativeCut = {
      ...{ data: new Uint8Array(48), channels: 3, height: 4, width: 4, resized: [8, 8], extents: [2, 2] },
      ...{ windows: Int32Array.of(6, 6, 1), planes: [0], out: new Uint8Array(4) },
    };
    cutPicture(good);
    const bad: Partial<Record<keyof NativeCut, unknown>>[] = [
      ...[{ data: new Uint8Array(47) }, { data: new Float32Array(48) }, { data: 'x' }, { out: new Uint8Array(5) }],
      ...[{ channels: 2 }, { channels: 4 }, { height: 0 }, { width: 2 ** 21 }, { resized: [8] }, { resized: 8 }],
      ...[{ windows: Int32Array.of(7, 6, 0) }, { windows: Int32Array.of(0, -1, 0) }, { windows: Int32Array.of(1, 2) }],
      ...[{ windows: new Uint8Array(3) }, { planes: [3] }, { planes: [-2] }, { planes: ['x'] }, { extents: [9, 9] }],
      { planes: undefined, out: new Uint8Array(12) },
    ];
    for (const part of bad)
      assert.throws(
        () => cutPicture({ ...good, ...part } as NativeCut),
        { code: /USAGE|INTERNAL/ },
        JSON.stringify(part),
      );
    assert.throws(() => cutPicture({ ...good, channels: 1, data: new Uint8Array(16), planes: [GREY] }), {
      code: 'USAGE',
    });
  });
});
