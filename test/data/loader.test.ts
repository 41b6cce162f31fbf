import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import {
  imageFolder,
  imageList,
  openLoader,
  type Batch,
  type Dataset,
  type Item,
  type LoaderOptions,
} from '../../lib/data/index.js';
import { scratch } from './sources/support.js';

const WIDTH = 12;
const HEIGHT = 9;
const PICTURES = 23;
/** The threads of a process, on Linux. */
const TASKS = '/proc/self/task';

/** What a pixel of picture `index` is: red its column, green its row, blue the picture. */
const pixel = (index: number, y: number, x: number): readonly number[] => [20 * x, 25 * y, 10 * index];

function png(index: number): Promise<Buffer> {
  const data = new Uint8Array(3 * WIDTH * HEIGHT);
  for (let y = 0; y < HEIGHT; y++) for (let x = 0; x < WIDTH; x++) data.set(pixel(index, y, x), 3 * (y * WIDTH + x));
  return sharp(data, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
    .png()
    .toBuffer();
}

/** What hangs on nothing but the data and the seed. */
const lasting = ({ waited: _, ...rest }: Batch): Omit<Batch, 'waited'> => rest;

async function take(data: Dataset, options: LoaderOptions, most = Infinity): Promise<Batch[]> {
  await using loader = await openLoader(data, options);
  const batches: Batch[] = [];
  for await (const batch of loader) if (batches.push(batch) >= most) break;
  return batches;
}

/** Pictures of a batch, by their blue: see `pixel`. */
function indices({ images, size }: Batch): number[] {
  const step = images.data.length / size;
  return Array.from({ length: size }, (_, i) => images.data[i * step]! / 10);
}

describe('a loader', function () {
  this.timeout(60_000);
  const temporary = scratch();
  let folder: Dataset;
  const random = { crop: [5, 7], mirror: true, jitter: 0.1 } as const;
  const components = {
    values: [0.2, 0.02, 0.005],
    vectors: [
      [0.6, 0.6, 0.5],
      [0.7, 0, -0.7],
      [0.4, -0.8, 0.4],
    ],
  };

  before(async () => {
    for (let i = 0; i < PICTURES; i++)
      temporary.file(`set/${i < 10 ? 'few' : 'many'}/${String(i).padStart(2, '0')}.png`, await png(i));
    folder = await imageFolder(`${temporary.path}/set`);
  });

  it('gives every picture once, in order, planes of blue, green and red, the last batch smaller', async () => {
    await using loader = await openLoader(folder, { batch: 8, phase: 'test', workers: 2 });
    assert.deepEqual(loader.shape, [3, HEIGHT, WIDTH]);
    assert.equal(loader.pictures, PICTURES);
    let at = 0;
    for await (const { images, labels, size, names, bad, position, waited } of loader) {
      assert.equal(size, Math.min(8, PICTURES - at));
      assert.deepEqual(images.shape, [size, 3, HEIGHT, WIDTH]);
      const expected = Array.from({ length: size }, (_, i) =>
        [2, 1, 0].flatMap((c) =>
          Array.from({ length: HEIGHT * WIDTH }, (_, p) => pixel(at + i, Math.floor(p / WIDTH), p % WIDTH)[c]!),
        ),
      );
      assert.deepEqual(images.data, Uint8Array.from(expected.flat()));
      assert.deepEqual(labels, {
        data: Float32Array.from({ length: size }, (_, i) => (at + i < 10 ? 0 : 1)),
        shape: [size],
      });
      assert.match(names[0]!, new RegExp(`${String(at).padStart(2, '0')}.png$`));
      assert.deepEqual([names.length, bad], [size, []]);
      at += size;
      assert.deepEqual(position, at < PICTURES ? { epoch: 0, place: at } : { epoch: 1, place: 0 });
      assert.ok(waited >= 0);
    }
    assert.equal(at, PICTURES);
  });

  it('gives the same bits at any number of workers, and others for another seed', async () => {
    const dataset = { ...folder, transform: { ...random, components } };
    const options = { batch: 6, phase: 'train' } as const;
    const one = (await take(dataset, { ...options, workers: 1 }, 12)).map(lasting);
    for (const workers of [3]) assert.deepEqual((await take(dataset, { ...options, workers }, 12)).map(lasting), one);
    const other = await take(dataset, { ...options, seed: 2 }, 12);
    assert.notDeepEqual(
      other.map(indices),
      one.map((batch) => indices({ ...batch, waited: 0 })),
    );
    assert.deepEqual(one.at(-1)!.position, { epoch: 3, place: 3 });
  });

  it('goes on from any position to the same bits', async () => {
    const dataset = { ...folder, transform: { ...random, components } };
    const options = { batch: 5, phase: 'train' } as const;
    const whole = (await take(dataset, options, 11)).map(lasting);
    for (const from of [0, 4, 8]) {
      const start = JSON.parse(JSON.stringify(whole[from]!.position)) as Batch['position'];
      const rest = (await take(dataset, { ...options, start }, 10 - from)).map(lasting);
      assert.deepEqual(rest, whole.slice(from + 1));
    }
  });

  it('shuffles anew in each epoch, and every epoch holds every picture', async () => {
    const batches = await take(folder, { batch: PICTURES, phase: 'train', epochs: 3 });
    assert.equal(batches.length, 3);
    const orders = batches.map(indices);
    const all = Array.from({ length: PICTURES }, (_, i) => i);
    for (const order of orders)
      assert.deepEqual(
        [...order].sort((a, b) => a - b),
        all,
      );
    assert.notDeepEqual(orders[0], orders[1]);
    assert.notDeepEqual(orders[0], all);
    const [plain] = await take(folder, { batch: PICTURES, phase: 'train', shuffle: false }, 1);
    assert.deepEqual(indices(plain!), all);
    const own = await take(folder, { batch: PICTURES, phase: 'train', shuffle: 7, seed: 5 }, 1);
    assert.deepEqual(
      own.map(indices),
      (await take(folder, { batch: PICTURES, phase: 'train', seed: 7 }, 1)).map(indices),
    );
  });

  it('runs over the end of an epoch in training, and never runs out', async () => {
    const batches = await take(folder, { batch: 50, phase: 'train', shuffle: false }, 3);
    assert.deepEqual(
      batches.map(({ size }) => size),
      [50, 50, 50],
    );
    assert.deepEqual(indices(batches[1]!).slice(0, 3), [4, 5, 6]);
    assert.deepEqual(batches[2]!.position, { epoch: 6, place: 12 });
  });

  it('cuts and mirrors at random in training: everywhere, and every second', async () => {
    const list = await imageList(temporary.file('one.txt', 'set/few/00.png 0\n'.repeat(400)), {
      crop: [5, 7],
      mirror: true,
    });
    const [batch] = await take(list, { batch: 400, phase: 'train' }, 1);
    const { images, size } = batch!;
    assert.equal(images.windows, undefined);
    const counts = new Map<string, number>();
    for (let i = 0; i < size; i++) {
      const picture = images.data.subarray(i * 105, (i + 1) * 105);
      const [top, first, last] = [picture[35]! / 25, picture[70]! / 20, picture[76]! / 20];
      const mirrored = first > last;
      const left = Math.min(first, last);
      const expected = [2, 1, 0].flatMap((c) =>
        Array.from({ length: 35 }, (_, p) => {
          const x = p % 7;
          return pixel(0, top + Math.floor(p / 7), left + (mirrored ? 6 - x : x))[c]!;
        }),
      );
      assert.deepEqual(picture, Uint8Array.from(expected));
      for (const key of [`top ${top}`, `left ${left}`, `mirrored ${mirrored}`])
        counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    // 5 tops, 6 lefts, 2 ways to look at it.
    assert.equal(counts.size, 13);
    for (const [key, n] of counts) {
      const expected = 400 / { t: 5, l: 6, m: 2 }[key[0] as 't' | 'l' | 'm'];
      assert.ok(Math.abs(n - expected) < 4 * Math.sqrt(expected), `${key}: ${n}`);
    }
  });

  it('takes the middle in evaluation, or ten crops with labels once', async () => {
    const options = {
      batch: 2,
      phase: 'test',
      transform: { crop: [5, 7], mirror: true, jitter: 0.1, components },
    } as const;
    const [middle] = await take(folder, options, 1);
    assert.deepEqual([...middle!.images.data.subarray(35, 37)], [25 * 2, 25 * 2]);
    assert.deepEqual([...middle!.images.data.subarray(70, 72)], [20 * 2, 20 * 3]);
    assert.equal(middle!.images.shift, undefined);
    const [ten] = await take(folder, { ...options, oversample: true }, 1);
    assert.deepEqual(ten!.images.shape, [20, 3, 5, 7]);
    assert.deepEqual([ten!.size, ten!.labels.shape], [2, [2]]);
    const corners = Array.from({ length: 10 }, (_, i) => {
      const crop = ten!.images.data.subarray((10 + i) * 105, (11 + i) * 105);
      return [crop[35]! / 25, crop[70]! / 20, crop[76]! / 20];
    });
    const plain = [
      [0, 0, 6],
      [0, 5, 11],
      [4, 0, 6],
      [4, 5, 11],
      [2, 2, 8],
    ];
    assert.deepEqual(corners, [...plain, ...plain.map(([top, left, right]) => [top, right, left])]);
  });

  it('resizes to the shorter side or to exact extents', async () => {
    const shape = async (resize: number | [number, number]): Promise<unknown> => {
      await using loader = await openLoader(folder, { batch: 1, phase: 'test', transform: { resize } });
      return loader.shape;
    };
    assert.deepEqual(await shape(18), [3, 18, 24]);
    assert.deepEqual(await shape(4), [3, 4, 5]);
    assert.deepEqual(await shape([7, 7]), [3, 7, 7]);
  });

  it('gives each picture its window in a picture of means', async () => {
    const mean = (h: number, w: number): { data: Float32Array; shape: number[] } => ({
      data: new Float32Array(3 * h * w),
      shape: [3, h, w],
    });
    const transform = { crop: [5, 7], mirror: true, mean: mean(HEIGHT, WIDTH), scale: 0.5 } as const;
    const [whole] = await take(folder, { batch: 20, phase: 'train', transform }, 1);
    const { windows, data } = whole!.images;
    for (let i = 0; i < 20; i++) {
      const [top, left, mirrored] = windows!.subarray(3 * i, 3 * i + 3);
      assert.equal(data[i * 105 + 35], 25 * top!);
      assert.equal(data[i * 105 + 70], 20 * (left! + (mirrored ? 6 : 0)));
    }
    assert.deepEqual(whole!.images.scale, Float32Array.of(0.5, 0.5, 0.5));
    const [other] = await take(folder, { batch: 4, phase: 'train', transform: { ...transform, mean: mean(7, 8) } }, 1);
    for (let i = 0; i < 4; i++) assert.deepEqual([...other!.images.windows!.subarray(3 * i, 3 * i + 2)], [1, 0]);
    for (const refused of [mean(4, 7), { data: new Float32Array(80), shape: [1, 8, 10] }, [1, 2]])
      await assert.rejects(take(folder, { batch: 4, phase: 'train', transform: { ...transform, mean: refused } }), {
        code: 'SHAPE',
        message: /^mean: /,
      });
  });

  it('moves the colours along their components, a little and differently', async () => {
    const transform = { jitter: 0.1, components };
    const [batch] = await take(folder, { batch: 2000, phase: 'train', transform }, 1);
    const shift = batch!.images.shift!;
    assert.equal(shift.length, 6000);
    // Along each component the deviation is 255 · 0.1 · its eigenvalue.
    components.vectors.forEach((vector, i) => {
      const length = vector.reduce((sum, v) => sum + v * v, 0);
      const steps = Array.from({ length: 2000 }, (_, n) =>
        vector.reduce((sum, v, c) => sum + (v * shift[3 * n + c]!) / length, 0),
      );
      if (i > 0) return;
      const deviation = Math.sqrt(steps.reduce((sum, step) => sum + step * step, 0) / 2000);
      assert.ok(Math.abs(deviation / (25.5 * components.values[i]!) - 1) < 0.1, `${deviation}`);
    });
  });

  it('leaves out what it cannot read, names it, and takes the next one in its place', async () => {
    const lines = [
      'set/few/00.png 0',
      'none.png 1',
      'broken.jpg 2',
      'set/few/01.png 3',
      'set/few/02.png 4',
      'none.png 5',
    ];
    temporary.file('broken.jpg', 'no picture');
    const list = await imageList(temporary.file('some.txt', lines.join('\n')));
    await using loader = await openLoader(list, { batch: 2, phase: 'test', workers: 2 });
    const batches: Batch[] = [];
    for await (const batch of loader) batches.push(batch);
    assert.deepEqual(
      batches.map(({ labels }) => [...labels.data]),
      [[0, 3], [4]],
    );
    assert.deepEqual(
      batches.map(({ bad }) => bad),
      [
        [
          { name: `${temporary.path}/none.png`, reason: 'no such file or folder' },
          {
            name: `${temporary.path}/broken.jpg`,
            reason: 'not a picture: expected JPEG, PNG, WebP, GIF, AVIF, TIFF or SVG',
          },
        ],
        [{ name: `${temporary.path}/none.png`, reason: 'no such file or folder' }],
      ],
    );
    assert.deepEqual(
      batches.map(({ position }) => position),
      [
        { epoch: 0, place: 4 },
        { epoch: 1, place: 0 },
      ],
    );
    assert.equal(loader.bad.length, 3);
    // Epochs later they are still the same three.
    const training = await take(list, { batch: 20, phase: 'train', mostBad: 3 }, 5);
    assert.equal(training.length, 5);
    await assert.rejects(take(list, { batch: 2, phase: 'test', mostBad: 2 }), {
      code: 'FORMAT',
      message: /some\.txt: more than 2 pictures cannot be read; the last, .*none\.png: no such file or folder; mostBad/,
    });
    const none = await imageList(temporary.file('none.txt', 'none.png 1\nbroken.jpg 2\n'));
    await assert.rejects(openLoader(none, { batch: 2, phase: 'train' }), {
      code: 'FORMAT',
      message: /none of its 2 pictures can be read; the last, .*broken\.jpg: not a picture/,
    });
  });

  it('notices that all pictures have gone while it ran', async () => {
    temporary.file('fleeting/one.png', await png(1));
    const list = await imageList(temporary.file('fleeting.txt', 'fleeting/one.png 1\n'));
    await using loader = await openLoader(list, { batch: 2, phase: 'train' });
    await assert.rejects(
      async () => {
        for await (const _ of loader) rmSync(`${temporary.path}/fleeting`, { recursive: true, force: true });
      },
      { code: 'FORMAT', message: /none of its 1 pictures can be read/ },
    );
  });

  it('tells settings that do not fit the pictures before the first batch', async () => {
    const refused = async (options: Partial<LoaderOptions>, code: string, message: RegExp): Promise<void> =>
      assert.rejects(openLoader(folder, { batch: 2, phase: 'train', ...options }), { code, message });
    await refused(
      { transform: { crop: 10 }, shuffle: false },
      'SHAPE',
      /00\.png: expected a crop of at most 9x12.*, got 10x10$/,
    );
    await refused({ batch: 0 }, 'USAGE', /^batch: .*got 0$/);
    await refused({ phase: 'learn' as 'train' }, 'USAGE', /^phase: expected train or test, got learn$/);
    await refused({ workers: 0.5 }, 'USAGE', /^workers: /);
    await refused({ start: { epoch: 0, place: PICTURES } }, 'USAGE', /^start.place: .* from 0 to 22, got 23$/);
    await refused({ oversample: true }, 'USAGE', /^oversample: /);
    await refused({ epochs: 0 }, 'USAGE', /^epochs: /);
    await refused({ seed: -1 }, 'USAGE', /^seed: /);
  });

  it('takes items that come by themselves, once', async () => {
    async function* items(): AsyncGenerator<Item> {
      for (let i = 0; i < 7; i++) {
        // A view of something larger, as files are often read.
        const encoded = Buffer.concat([Buffer.alloc(5), await png(i)]).subarray(5);
        yield { name: `item ${i}`, picture: { encoded }, label: i };
      }
    }
    await using loader = await openLoader(items(), { batch: 3, phase: 'train', workers: 2 });
    assert.equal(loader.pictures, Infinity);
    const batches: Batch[] = [];
    for await (const batch of loader) batches.push(batch);
    assert.deepEqual(
      batches.map(({ labels }) => [...labels.data]),
      [[0, 1, 2], [3, 4, 5], [6]],
    );
    assert.deepEqual(batches.flatMap(indices), [0, 1, 2, 3, 4, 5, 6]);
    assert.deepEqual(batches[1]!.position, { epoch: 0, place: 6 });
    await using rest = await openLoader(items(), { batch: 3, phase: 'train', start: batches[0]!.position });
    for await (const { labels } of rest) {
      assert.deepEqual([...labels.data], [3, 4, 5]);
      break;
    }
    await assert.rejects(openLoader(items(), { batch: 1, phase: 'train', shuffle: true }), { code: 'USAGE' });
  });

  it('takes stored pixels, bytes or not, resized where they are bytes', async () => {
    const shape = [2, 4, 6];
    async function* items(floats: boolean): AsyncGenerator<Item> {
      for (let i = 0; i < 3; i++) {
        const pixels = new (floats ? Float32Array : Uint8Array)(48).fill(40 * i);
        yield { name: `item ${i}`, picture: { pixels, shape }, label: i };
      }
    }
    const first = async (floats: boolean, transform: LoaderOptions['transform']): Promise<Batch> => {
      await using loader = await openLoader(items(floats), { batch: 3, phase: 'test', transform: transform! });
      for await (const batch of loader) return batch;
      throw new Error('no batch');
    };
    const bytes = await first(false, { resize: 2, crop: 2 });
    assert.deepEqual(bytes.images.shape, [3, 2, 2, 2]);
    assert.deepEqual(
      bytes.images.data,
      Uint8Array.from({ length: 24 }, (_, i) => 40 * Math.floor(i / 8)),
    );
    const floats = await first(true, { crop: [3, 2] });
    assert.deepEqual(
      floats.images.data,
      Float32Array.from({ length: 36 }, (_, i) => 40 * Math.floor(i / 12)),
    );
  });

  it('can be iterated again, from its start, after a break too', async () => {
    await using loader = await openLoader(folder, { batch: 4, phase: 'test', workers: 2 });
    const first: Batch[] = [];
    for await (const batch of loader) if (first.push(batch) === 2) break;
    const second: Batch[] = [];
    for await (const batch of loader) second.push(batch);
    assert.equal(second.length, 6);
    assert.deepEqual(second.slice(0, 2).map(lasting), first.map(lasting));
    const [one, two] = [loader[Symbol.asyncIterator](), loader[Symbol.asyncIterator]()];
    await one.next();
    await assert.rejects(async () => two.next(), { code: 'USAGE' });
  });

  it('ends when it is closed or aborted, and leaves no thread', async () => {
    const ports = (): number => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length;
    const threads = (): number | undefined => (existsSync(TASKS) ? readdirSync(TASKS).length : undefined);
    const before = { ports: ports(), threads: threads() };
    // A thread that has been waited for stays in the system's list until it has left its last call.
    const same = async (): Promise<void> => {
      for (let i = 0; i < 500 && threads() !== before.threads; i++) await sleep(10);
      assert.deepEqual({ ports: ports(), threads: threads() }, before);
    };
    const loader = await openLoader(folder, { batch: 4, phase: 'train', workers: 3 });
    if (before.threads !== undefined) assert.ok(threads()! >= before.threads + 3);
    const iterator = loader[Symbol.asyncIterator]();
    await iterator.next();
    await loader.close();
    await same();
    await assert.rejects(
      async () => {
        for (;;) await iterator.next();
      },
      { code: 'DISPOSED' },
    );
    await assert.rejects(async () => loader[Symbol.asyncIterator]().next(), { code: 'DISPOSED' });
    await loader.close();

    const controller = new AbortController();
    const aborted = await openLoader(folder, { batch: 4, phase: 'train', signal: controller.signal });
    await assert.rejects(
      async () => {
        for await (const _ of aborted) controller.abort(new Error('enough'));
      },
      { message: 'enough' },
    );
    await aborted.close();
    await same();
    await assert.rejects(openLoader(folder, { batch: 4, phase: 'train', signal: controller.signal }), {
      message: 'enough',
    });
    await same();
  });

  it('tells of a thread that dies, and of data that cannot be read at all', async () => {
    const broken: Dataset = { ...folder, ref: (index) => (index > 5 ? undefined : folder.ref(index)) };
    await using loader = await openLoader(broken, { batch: 4, phase: 'test', workers: 2 });
    await assert.rejects(
      async () => {
        for await (const { size } of loader) assert.equal(size, 4);
      },
      { code: 'INTERNAL', message: /set: a thread that reads it has died: / },
    );
    const gone = { ...folder, reader: { kind: 'lmdb', file: `${temporary.path}/gone.mdb`, bytes: 1, pageSize: 4096 } };
    await assert.rejects(openLoader(gone, { batch: 4, phase: 'test' }), { code: 'FORMAT', message: /gone\.mdb/ });
  });
});
