/** Pictures that are normalized while they are copied into a model. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compile, graph, input, Random, relu, sgd, type Images } from '../../lib/index.js';
import { allocate } from '../../lib/native.js';
import { labels, tiny } from '../support/nets.js';

interface Case {
  readonly images: Images;
  /** By the formula, each operation rounded to float32. */
  readonly expected: Float32Array;
}

const identity = (extents: readonly number[]): ReturnType<typeof graph<'data', 'y'>> =>
  graph({ data: input(extents) }, ({ data }) => ({ y: relu(data, { slope: 1 }) }));

function make(shape: [number, number, number, number], kind: Kind, seed: number): Case {
  const [n, c, h, w] = shape;
  const random = new Random(seed);
  const floats = (length: number): Float32Array => Float32Array.from({ length }, () => random.uniform(-9, 130));
  const length = n * c * h * w;
  const data = kind.bytes ? Uint8Array.from({ length }, () => random.below(256)) : floats(length);
  const [mh, mw] = kind.picture ? [h + random.below(4), w + random.below(4)] : [1, 1];
  const mean = { data: floats(c * mh * mw), shape: kind.picture ? [c, mh, mw] : [c] };
  const scale = floats(c);
  const place = (): number[] => [random.below(mh - h + 1), random.below(mw - w + 1), random.below(2)];
  const places = kind.windows ? Int32Array.from(Array.from({ length: n }, place).flat()) : undefined;
  const shift = kind.shift ? floats(n * c) : undefined;
  const expected = Float32Array.from({ length }, (_, at) => {
    const x = at % w;
    const y = Math.floor(at / w) % h;
    const channel = Math.floor(at / (w * h)) % c;
    const picture = Math.floor(at / (w * h * c));
    const [top, left, mirrored] = places ? places.subarray(3 * picture, 3 * picture + 3) : [0, 0, 0];
    const column = left! + (mirrored ? w - 1 - x : x);
    const own = mean.data[kind.picture ? (channel * mh + top! + y) * mw + column : channel]!;
    const moved = Math.fround(data[at]! + (shift ? shift[picture * c + channel]! : 0));
    return Math.fround(Math.fround(moved - own) * scale[channel]!);
  });
  const images = { data, shape, mean, scale, ...(places && { windows: places }), ...(shift && { shift }) };
  return { images, expected };
}

interface Kind {
  readonly bytes: boolean;
  readonly picture: boolean;
  readonly windows: boolean;
  readonly shift: boolean;
}

describe('pictures', () => {
  const kinds = fc.record({ bytes: fc.boolean(), picture: fc.boolean(), windows: fc.boolean(), shift: fc.boolean() });
  const extents = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 4 }), fc.nat(12), fc.nat(40));

  it('reach the net as (x + shift - mean) · scale, bit for bit', async () => {
    await fc.assert(
      fc.asyncProperty(extents, kinds, fc.nat(1000), async ([n, c, h, w], kind, seed) => {
        const shape: [number, number, number, number] = [n, c, h + 1, w + 1];
        const wide = kind.windows ? { ...kind, picture: true } : kind;
        const { images, expected } = make(shape, wide, seed);
        await using model = await compile(identity(shape.slice(1)), { batch: n });
        assert.deepEqual((await model.forward({ data: images })).y.data, expected);
      }),
      { numRuns: 60 },
    );
  });

  it('are copied in pieces, and teach like the numbers that they stand for', async () => {
    const kind = { bytes: true, picture: true, windows: true, shift: true };
    const { images, expected } = make([6, 3, 8, 8], kind, 3);
    const learn = async (data: Images | Float32Array): Promise<unknown> => {
      await using model = await compile(tiny(), { batch: 6, solver: sgd({ rate: 1e-4 }) });
      const { loss } = await model.step({ data, label: labels(6, 5) });
      return [loss, await model.weights()];
    };
    assert.deepEqual(await learn(images), await learn(expected));
    // More than a million pixels are copied at two goes.
    const large = make([5, 3, 300, 300], kind, 4);
    await using model = await compile(identity([3, 300, 300]), { batch: 5 });
    assert.deepEqual((await model.forward({ data: large.images })).y.data, large.expected);
  });

  it('that do not fit themselves or the net are refused', async () => {
    await using model = await compile(tiny(), { batch: 4 });
    const { images } = make([2, 3, 8, 8], { bytes: true, picture: true, windows: true, shift: true }, 5);
    const refuses = (change: object, code: string, message: RegExp): Promise<void> =>
      assert.rejects(model.forward({ data: { ...images, ...change } }), { code, message });
    await refuses({ shape: [2, 3, 8, 7] }, 'SHAPE', /384 pixels/);
    await refuses({ shape: [2, 192] }, 'SHAPE', /N, C, H, W/);
    await refuses({ shape: [2, 3, 4, 16] }, 'SHAPE', /^data/);
    await refuses({ data: new Int8Array(384) }, 'USAGE', /Uint8Array or Float32Array/);
    await refuses({ mean: { data: new Float32Array(3), shape: [3, 1, 1] } }, 'SHAPE', /mean/);
    await refuses({ mean: { data: new Float32Array(2), shape: [2] } }, 'SHAPE', /mean/);
    await refuses({ scale: new Float32Array(2) }, 'SHAPE', /scale.*3.*2/);
    await refuses({ shift: new Float32Array(5) }, 'SHAPE', /shift.*6.*5/);
    await refuses({ windows: new Float32Array(6) }, 'SHAPE', /windows.*Int32Array/);
    await refuses({ windows: Int32Array.of(0, 0, 0, 99, 0, 0) }, 'USAGE', /\(99, 0\)/);
    await refuses({ windows: Int32Array.of(0, -1, 0, 0, 0, 0) }, 'USAGE', /\(0, -1\)/);
    await model.forward({ data: images });
  });

  it('of any extents that a hostile caller claims stay within their arrays', () => {
    const memory = allocate(4096);
    const good = {
      data: new Uint8Array(48),
      ...{ channels: 3, height: 4, width: 4, meanHeight: 1, meanWidth: 1 },
      mean: new Float32Array(3),
      scale: new Float32Array(3),
    };
    memory.writeImages(0, good, 0, 1);
    const big = 2 ** 40;
    const changes: object[] = [
      { channels: big },
      { height: big, width: big },
      { meanHeight: big, meanWidth: big },
      { meanHeight: 2, meanWidth: 2 },
      { width: -1 },
      { width: 1.5 },
      { channels: 0 },
      { mean: undefined },
      { mean: new Float64Array(3) },
      { scale: new Float32Array(2) },
      { windows: new Int32Array(2) },
      { shift: new Float32Array(2) },
      { data: new Uint8Array(47) },
      { data: new Uint16Array(48) },
      { data: 'pixels' },
    ];
    for (const change of changes)
      assert.throws(() => memory.writeImages(0, { ...good, ...change }, 0, 1), { name: 'Error' });
    for (const [offset, first, last] of [
      [4096, 0, 1],
      [2, 0, 1],
      [0, 0, 2],
      [0, 1, 0],
      [0, -1, 1],
      [big, 0, 1],
    ] as const) {
      assert.throws(() => memory.writeImages(offset, good, first, last), { name: 'Error' });
    }
    memory.dispose();
    assert.throws(() => memory.writeImages(0, good, 0, 1), { name: 'Error' });
  });
});
