/** Every kernel that takes tensors of 16 bits, between products that make them; and nets that learn with them. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  abs,
  adadelta,
  adagrad,
  adam,
  adamW,
  averagePool,
  batchNorm,
  bnll,
  compile,
  concat,
  conv2d,
  crop,
  dense,
  dropout,
  eltwise,
  elu,
  exp,
  graph,
  input,
  log,
  lrn,
  maxPool,
  maxPoolWithMask,
  nesterov,
  power,
  relu,
  reshape,
  rmsprop,
  sgd,
  sigmoid,
  slice,
  softmax,
  softmaxLoss,
  swish,
  tanh,
  type Tensor,
  type Value,
} from '../../lib/index.js';
import { openDevice } from '../../lib/device.js';
import { addonPath, allocate, prepare, type NativePlanSpec } from '../../lib/native.js';
import { count, type Shape } from '../../lib/shape.js';
import { labels, noise } from '../support/nets.js';
import { assertClose } from '../support/compare.js';
import { distinct, tensorOf } from '../support/ops.js';

const built = existsSync(join(dirname(addonPath()), 'cortado_cuda_sim.so'));

type Halves = 'bfloat16' | 'float16';
/** The largest relative error of rounding to the nearest: eight binary digits, and eleven. */
const ROUNDING: Readonly<Record<Halves, number>> = { bfloat16: 2 ** -9, float16: 2 ** -12 };

/** Numbers from 1/16 to 4 of six binary digits, which either type holds exactly; no two alike where pooling compares. */
const exact = ({ data, shape }: Tensor): Tensor =>
  tensorOf(shape, (i) => Math.round((0.0625 + Math.abs(data[i]! % 4)) * 16) / 16);

/** Twice as many as kernels take together where channels are last. */
const CHANNELS = 16;
const SHAPE = [2, CHANNELS, 4, 5];

/** What an op is tried with: two values of that shape, the second one positive too. */
type Body = (a: Value, b: Value) => Value;

const OPS: Readonly<Record<string, Body>> = {
  relu: (a, b) => relu(eltwise([a, b], { operation: 'sum', coefficients: [1, -1] })),
  'relu with a slope': (a, b) => relu(eltwise([a, b], { operation: 'sum', coefficients: [1, -1] }), { slope: 0.25 }),
  sigmoid: (a) => sigmoid(a),
  tanh: (a) => tanh(a),
  elu: (a, b) => elu(eltwise([a, b], { operation: 'sum', coefficients: [1, -1] })),
  abs: (a) => abs(a),
  exp: (a) => exp(a, { scale: 0.5 }),
  log: (a) => log(a),
  power: (a) => power(a, { power: 1.5 }),
  bnll: (a) => bnll(a),
  swish: (a) => swish(a),
  'lrn across channels': (a) => lrn(a, { localSize: 3, alpha: 0.5 }),
  'lrn across five channels': (a) => lrn(a, { localSize: 5, alpha: 0.5 }),
  'lrn across five of few channels': (a) => {
    const parts = slice(a, { parts: 2 });
    return concat([lrn(parts[0]!, { localSize: 5, alpha: 0.5 }), lrn(parts[1]!, { localSize: 5, alpha: 0.5 })]);
  },
  'lrn within channels': (a) => lrn(a, { localSize: 3, alpha: 0.5, region: 'within' }),
  'max pooling': (a) => maxPool(a, { kernel: 3, stride: 2 }),
  'max pooling by windows of more taps than a byte counts': (a) => maxPool(a, { kernel: 17, stride: 2, pad: 8 }),
  'max pooling that tells its positions': (a) => {
    const { y, mask } = maxPoolWithMask(a, { kernel: 3, stride: 2 });
    return eltwise([y, mask], { operation: 'sum', coefficients: [1, 0.125] });
  },
  'average pooling': (a) => averagePool(a, { kernel: 3, stride: 2, pad: 1 }),
  'global average pooling': (a) => averagePool(a, { kernel: [4, 5] }),
  'a sum': (a, b) => eltwise([a, b], { operation: 'sum', coefficients: [0.5, 2] }),
  'a product': (a, b) => eltwise([a, b], { operation: 'prod' }),
  'an unstable product': (a, b) => eltwise([a, b], { operation: 'prod', stableGradient: false }),
  'a maximum': (a, b) => eltwise([a, b], { operation: 'max' }),
  dropout: (a) => dropout(a, { ratio: 0.5 }),
  concat: (a, b) => slice(concat([a, b]), { parts: 2 })[1]!,
  slice: (a, b) => concat([slice(a, { parts: 2 })[1]!, slice(b, { parts: 2 })[0]!]),
  crop: (a, b) => crop(a, maxPool(b, { kernel: 2, stride: 2 }), { axis: 2, offsets: 1 }),
  'batch normalisation, which has float32 alone': (a) => batchNorm(a),
  'softmax, which has float32 alone': (a) => softmax(a),
  'two readers': (a) => eltwise([sigmoid(a), tanh(a)], { operation: 'sum' }),
};

/** Products that change nothing, by their weights, and in which order they leave the elements of images. */
const PRODUCTS = {
  'channels last': (x: Value, name: string): Value => conv2d(x, { name, filters: CHANNELS, kernel: 1, bias: false }),
  'channels first': (x: Value, name: string): Value =>
    reshape(dense(x, { name, units: count(x.shape, 1), bias: false }), { dims: [0, ...x.shape.slice(1)] }),
};
type Order = keyof typeof PRODUCTS;
const feeds = (tensors: Readonly<Record<string, Tensor>>): Record<string, Float32Array> =>
  Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, data]));
const identity = (shape: Shape): Tensor => tensorOf(shape, (i) => (i % (shape[0]! + 1) === 0 ? 1 : 0));

interface Answers {
  readonly y: Tensor;
  readonly gradients: Readonly<Record<string, Tensor>>;
}

/** Result and gradients of an op between products. */
async function between(
  body: Body,
  device: string,
  precision: 'float32' | Halves,
  order: Order = 'channels last',
): Promise<Answers> {
  const same = PRODUCTS[order];
  const net = graph({ a: input(SHAPE.slice(1)), b: input(SHAPE.slice(1)) }, ({ a, b }) => ({
    y: same(body(same(a, 'a1'), same(b, 'b1')), 'y'),
  }));
  const used = net.parameters.filter(({ name }) => name.endsWith('weight'));
  const weights = Object.fromEntries(used.map(({ name, shape }) => [name, identity(shape)]));
  await using model = await compile(net, { device, precision, batch: SHAPE[0]!, weights, seed: 5 });
  const inputs = { a: exact(distinct(SHAPE, 3)), b: exact(distinct(SHAPE, 4)) };
  const dy = exact(noise([SHAPE[0]!, ...net.outputs.y.shape.slice(1)], 7, 4));
  const { outputs, gradients } = await model.backward(
    { a: inputs.a.data, b: inputs.b.data },
    { of: ['a', 'b'], from: { y: dy.data }, phase: 'train' },
  );
  return { y: outputs.y, gradients };
}

/** Images by their pixels, a block's and all blocks': whole ones, cut ones, more channels than they have, fewer pixels. */
const IN_BLOCKS = [
  { channels: 3, extent: [9, 11], block: [4, 4], pad: 0, deep: 48, blocks: [3, 3], dtype: 'bf16', channelsLast: true },
  { channels: 3, extent: [9, 11], block: [2, 3], pad: 1, deep: 24, blocks: [5, 4], dtype: 'f32', channelsLast: false },
  { channels: 3, extent: [9, 10], block: [2, 2], pad: 3, deep: 16, blocks: [8, 8], dtype: 'bf16', channelsLast: true },
  { channels: 1, extent: [5, 7], block: [3, 3], pad: 1, deep: 9, blocks: [2, 3], dtype: 'f16', channelsLast: true },
  { channels: 4, extent: [7, 5], block: [1, 2], pad: 0, deep: 8, blocks: [7, 2], dtype: 'f32', channelsLast: true },
] as const;

/** First layers, and what is unlike them: extents that the stride does not divide, taps fewer than the stride. */
const STRIDED: readonly {
  readonly name: string;
  readonly channels: number;
  readonly extent: readonly [number, number];
  readonly kernel: number | readonly [number, number];
  readonly stride: number | readonly [number, number];
  readonly pad?: number;
  readonly filters?: number;
}[] = [
  { name: "AlexNet's", channels: 3, extent: [23, 27], kernel: 11, stride: 4 },
  { name: "torchvision's AlexNet's", channels: 3, extent: [20, 24], kernel: 11, stride: 4, pad: 2 },
  { name: "a ResNet's", channels: 3, extent: [16, 15], kernel: 7, stride: 2, pad: 3 },
  { name: "SqueezeNet's", channels: 3, extent: [14, 13], kernel: 3, stride: 2, filters: 12 },
  { name: 'patches', channels: 3, extent: [16, 8], kernel: 4, stride: 4 },
  { name: 'a stride of 3', channels: 3, extent: [13, 14], kernel: 5, stride: 3, pad: 1 },
  { name: 'two strides', channels: 3, extent: [13, 14], kernel: [5, 6], stride: [2, 4], pad: 2 },
  { name: 'two strides, of which one is none', channels: 2, extent: [9, 14], kernel: [3, 8], stride: [1, 4] },
  { name: 'taps fewer than the stride', channels: 1, extent: [12, 11], kernel: [2, 9], stride: [3, 2] },
  { name: 'one channel', channels: 1, extent: [23, 23], kernel: 11, stride: 4 },
  { name: 'four channels', channels: 4, extent: [19, 19], kernel: 7, stride: 4, pad: 1 },
];

describe('tensors of 16 bits', function () {
  this.timeout(600_000);
  before(function () {
    if (built) return;
    console.log('    (the simulated GPU is not built: npm run build:sim)');
    this.skip();
  });

  /** Kernels of windows, of parts and of masks, which know where channels are; the others only meet elements. */
  const PLACED = ['lrn', 'pooling', 'dropout', 'concat', 'slice'];

  for (const [name, body] of Object.entries(OPS)) {
    const orders: Order[] = ['channels last'];
    if (PLACED.some((word) => name.includes(word))) orders.push('channels first');
    it(`go through ${name}, forward and backward, rounded as often as they are stored`, async () => {
      for (const order of orders) {
        const want = await between(body, 'cpu', 'float32', order);
        for (const precision of ['bfloat16', 'float16'] as const) {
          const got = await between(body, 'cuda-sim', precision, order);
          assertClose(got.y.data, want.y.data, `${precision}, ${order}: y`, 3 * ROUNDING[precision]);
          for (const [input, { data }] of Object.entries(want.gradients))
            assertClose(got.gradients[input]!.data, data, `${precision}, ${order}: d(${input})`, 6 * ROUNDING.bfloat16);
        }
      }
    });
  }

  it('with channels last are refused by kernels that do not take them so', async () => {
    const memory = allocate(1 << 12, (await openDevice('cuda-sim')).native);
    const plan = async (kernel: string, ...orders: boolean[]): Promise<void> => {
      const tensors = orders.map((channelsLast, i) => {
        return { memory: 0, offset: 1024 * i, shape: [1, 2, 3, 4], dtype: 'f32' as const, channelsLast };
      });
      const steps = [{ kernel, label: 'step', inputs: [0], outputs: [1], attributes: {} }];
      (await prepare({ memories: [memory], tensors, steps, threads: 1 })).dispose();
    };
    await plan('tanh', true, true);
    await plan('convert', true, false);
    await assert.rejects(plan('tanh', true, false), /kernel tanh does not take images in these orders/);
    await assert.rejects(plan('softmax', true, true), /kernel softmax does not take/);
    memory.dispose();
  });

  it('of images get channels of zeros and lose them again', async () => {
    const memory = allocate(1 << 14, (await openDevice('cuda-sim')).native);
    for (const [channels, more] of [
      [3, 8],
      [12, 16],
      [1, 8],
    ] as const) {
      const images = (c: number, dtype: 'f32' | 'bf16', channelsLast: boolean, i: number) => {
        return { memory: 0, offset: 1024 + 2048 * i, shape: [2, c, 3, 5], dtype, channelsLast };
      };
      const tensors = [
        images(channels, 'f32', false, 0),
        images(more, 'bf16', true, 1),
        images(more, 'f32', false, 2),
        images(channels, 'bf16', true, 4),
        images(channels, 'f32', false, 5),
        images(more, 'bf16', true, 1),
        images(channels, 'f32', false, 6),
      ];
      const steps = [
        [0, 1],
        [1, 2],
        [1, 3],
        [3, 4],
        [3, 5],
        [5, 6],
      ].map(([from, to]) => ({ kernel: 'convert', label: 'step', inputs: [from!], outputs: [to!], attributes: {} }));
      const x = tensorOf([2, channels, 3, 5], (i) => (i % 100) + 1);
      memory.write(1024, x.data, 0, x.data.length);
      const plan = await prepare({ memories: [memory], tensors, steps, threads: 1 });
      const [filled, ...back] = (await plan.run([2, 4, 6], false))!.results;
      plan.dispose();
      for (const data of back) assert.deepEqual(data, x.data);
      filled!.forEach((value, i) => {
        const [image, channel, pixel] = [Math.floor(i / 15 / more), Math.floor(i / 15) % more, i % 15];
        assert.equal(value, channel < channels ? x.data[(image * channels + channel) * 15 + pixel] : 0);
      });
    }
    memory.dispose();
  });

  it('of images go from one order of their elements to the other and back', async () => {
    const memory = allocate(1 << 18, (await openDevice('cuda-sim')).native);
    for (const [images, channels, height, width] of [
      [2, 72, 3, 5],
      [1, 8, 8, 8],
      [3, 136, 1, 2],
      [1, 64, 5, 13],
      [2, 12, 3, 3],
    ] as const) {
      const shape = [images, channels, height, width];
      const x = tensorOf(shape, (i) => ((i * 7) % 256) + 1);
      memory.write(0, x.data, 0, x.data.length);
      for (const dtype of ['f32', 'bf16', 'f16'] as const) {
        const at = (i: number, type: 'f32' | 'bf16' | 'f16', channelsLast: boolean, extents = shape) => {
          return { memory: 0, offset: i << 15, shape: extents, dtype: type, channelsLast };
        };
        const tensors = [
          at(0, 'f32', false),
          at(1, dtype, true),
          at(1, dtype, false, [images, height, width, channels]), // its elements as they lie
          at(2, 'f32', false, [images, height, width, channels]),
          at(3, dtype, false),
          at(4, 'f32', false),
        ];
        const steps = [
          [0, 1],
          [2, 3],
          [1, 4],
          [4, 5],
        ].map(([from, to]) => ({ kernel: 'convert', label: 'step', inputs: [from!], outputs: [to!], attributes: {} }));
        const plan = await prepare({ memories: [memory], tensors, steps, threads: 1 });
        const [last, back] = (await plan.run([3, 5], false))!.results;
        plan.dispose();
        assert.deepEqual(back, x.data);
        last!.forEach((value, i) => {
          const [image, pixel, channel] = [
            Math.floor(i / channels / height / width),
            Math.floor(i / channels),
            i % channels,
          ];
          const place = (image * channels + channel) * height * width + (pixel % (height * width));
          assert.equal(value, x.data[place], `${dtype} (${shape.join()}), element ${i}`);
        });
      }
    }
    memory.dispose();
  });

  it('add up to the gradient of a bias, of few rows and many, of units in whole accesses and others', async () => {
    const device = (await openDevice('cuda-sim')).native;
    for (const [rows, units] of [
      [130, 64],
      [130, 13],
      [4200, 300],
      [9000, 96],
    ] as const) {
      const memory = allocate(16 * rows * units, device);
      const dy = tensorOf([rows, units], (i) => (((i * 7) % 61) - 30) / 16);
      const want = tensorOf([units], (unit) => {
        let sum = 0;
        for (let row = 0; row < rows; row++) sum += dy.data[row * units + unit]!;
        return sum;
      });
      const bytes = 64 * Math.ceil((4 * rows * units) / 64);
      memory.write(0, dy.data, 0, dy.data.length);
      for (const dtype of ['f32', 'bf16', 'f16'] as const) {
        const tensors = [
          { memory: 0, offset: 0, shape: [rows, units], dtype: 'f32' as const },
          { memory: 0, offset: bytes, shape: [rows, units], dtype },
          { memory: 0, offset: 2 * bytes, shape: [rows, 1], dtype: 'f32' as const },
          { memory: 0, offset: 3 * bytes, shape: [units], dtype: 'f32' as const },
        ];
        const steps: NativePlanSpec['steps'] = [
          { kernel: 'convert', label: 'dy', inputs: [0], outputs: [1], attributes: {} },
          {
            kernel: 'dense_wgrad',
            label: 'bias',
            inputs: [2, 1],
            outputs: [-1, 3],
            attributes: { axis: 1, transpose: 0 },
          },
        ];
        const plan = await prepare({ memories: [memory], tensors, steps, threads: 1 });
        const [dbias] = (await plan.run([3], false))!.results;
        plan.dispose();
        assert.deepEqual(dbias, want.data, `${dtype}: (${rows}, ${units})`);
      }
      memory.dispose();
    }
  });

  it('take the gradients of losses of classes as they are made, rounded', async () => {
    const memory = allocate(1 << 16, (await openDevice('cuda-sim')).native);
    const [rows, classes] = [9, 140];
    const at = (i: number, shape: number[], dtype: 'f32' | 'bf16' | 'f16' = 'f32') => {
      return { memory: 0, offset: 1024 * i, shape, dtype };
    };
    const fill = (i: number, data: Float32Array): void => memory.write(1024 * i, data, 0, data.length);
    fill(0, distinct([rows, classes], 3).data);
    fill(
      6,
      Float32Array.from({ length: rows }, (_, row) => (row === 4 ? 7 : 15 * row)),
    );
    fill(7, Float32Array.of(3));
    const scores = [at(0, [rows, classes]), at(6, [rows]), at(7, [1])];
    const results = [at(8, [rows, classes]), at(16, [rows, classes], 'bf16'), at(20, [rows, classes])];
    for (const normalization of [0, 3]) {
      const attributes = { axis: 1, ignoreLabel: [7], normalization };
      const loss = { kernel: 'softmaxLoss_grad', label: 'loss', inputs: [0, 1, 2], attributes };
      const steps: NativePlanSpec['steps'] = [
        { ...loss, outputs: [3] },
        { ...loss, outputs: [4] },
        { kernel: 'convert', label: 'rounded', inputs: [4], outputs: [5], attributes: {} },
      ];
      const plan = await prepare({ memories: [memory], tensors: [...scores, ...results], steps, threads: 1 });
      const [whole, rounded] = (await plan.run([3, 5], false))!.results;
      plan.dispose();
      assert.ok(whole!.some((value, i) => value !== rounded![i]));
      assertClose(rounded!, whole!, 'dx', 2 * ROUNDING.bfloat16);
    }
    memory.dispose();
  });

  it('and others are searched for what is not finite, a product only where its factors are large', async () => {
    const memory = allocate(1 << 20, (await openDevice('cuda-sim')).native);
    const tensors: NativePlanSpec['tensors'][number][] = [];
    let offset = 0;
    const add = (size: number, dtype: (typeof tensors)[number]['dtype']): number => {
      offset += 64 * Math.ceil((4 * size) / 64);
      return tensors.push({ memory: 0, offset: offset - 64 * Math.ceil((4 * size) / 64), shape: [size], dtype }) - 1;
    };
    const steps: NativePlanSpec['steps'][number][] = [];
    /** A tensor of ones that ends with that value. */
    const ending = (last: number, size: number, dtype: 'f32' | 'bf16' | 'f16'): number => {
      const [from, to] = [add(size, 'f32'), add(size, dtype)];
      memory.write(tensors[from]!.offset, new Float32Array(size).fill(1).fill(last, size - 1), 0, size);
      steps.push({ kernel: 'convert', label: 'x', inputs: [from], outputs: [to], attributes: {} });
      return to;
    };
    const looks: { flag: number; raised: number }[] = [];
    const searches: typeof steps = [];
    const look = (inputs: number[], raised: boolean): void => {
      const flag = add(1, 'i32');
      const step = { label: 'look', inputs, outputs: [flag] };
      if (inputs.length > 1) searches.push({ ...step, kernel: 'non_finite_product', attributes: { terms: 8 } });
      else searches.push({ ...step, kernel: 'non_finite', attributes: {} });
      looks.push({ flag, raised: raised ? 1 : 0 });
    };
    const factors = { small: ending(1e10, 9000, 'f32'), large: ending(1e30, 20, 'bf16'), bad: ending(NaN, 3, 'f16') };
    for (const size of [1, 9, 5000]) {
      for (const dtype of ['f32', 'bf16', 'f16'] as const) {
        for (const last of [60000, NaN, Infinity, -Infinity]) {
          const x = ending(last, size, dtype);
          const bad = !Number.isFinite(last);
          look([x], bad);
          look([x, factors.small, factors.large], bad);
          look([x, factors.small, factors.small], false);
          look([x, factors.bad, factors.small], bad);
        }
      }
    }
    const plan = await prepare({ memories: [memory], tensors, steps: [...steps, ...searches], threads: 1 });
    for (let again = 0; again < 2; again++) {
      const found = (await plan.run(
        looks.map(({ flag }) => flag),
        false,
      ))!.results;
      assert.deepEqual(
        found.map(([raised]) => raised),
        looks.map(({ raised }) => raised),
      );
    }
    plan.dispose();
    memory.dispose();
  });

  it('of images have pixels that become channels, and go back', async () => {
    const memory = allocate(1 << 16, (await openDevice('cuda-sim')).native);
    for (const { channels, extent, block, pad, deep, blocks, dtype, channelsLast } of IN_BLOCKS) {
      const [[h, w], [bh, bw], [rows, columns]] = [extent, block, blocks];
      const pads = { padH: pad, padW: pad };
      const attributes = { blockH: bh, blockW: bw };
      let end = 0;
      const images = (type: 'f32' | 'bf16' | 'f16', last: boolean, ...shape: number[]) => {
        const tensor = { memory: 0, offset: end, shape, dtype: type, channelsLast: last };
        end += Math.ceil((count(shape) * 4) / 64) * 64;
        return tensor;
      };
      const flat = [2, channels, h, w];
      const tensors = [
        images('f32', false, ...flat),
        images(dtype, channelsLast, 2, deep, rows, columns),
        images('f32', false, 2, deep, rows, columns),
        images('f32', false, ...flat),
        images('bf16', true, ...flat),
        images(dtype, channelsLast, 2, deep, rows, columns),
        images('f32', false, 2, deep, rows, columns),
      ];
      const call = (kernel: string, from: number, to: number, given = {}) => {
        return { kernel, label: 'step', inputs: [from], outputs: [to], attributes: given };
      };
      const steps = [
        call('space_to_depth', 0, 1, { ...attributes, ...pads }),
        call('convert', 1, 2),
        call('convert', 0, 4),
        call('space_to_depth', 4, 5, { ...attributes, ...pads }),
        call('convert', 5, 6),
        ...(h + pad <= rows * bh && w + pad <= columns * bw
          ? [call('depth_to_space', 1, 3, { ...attributes, ...pads })]
          : [call('convert', 0, 3)]),
      ];
      const x = tensorOf(flat, (i) => (i % 100) + 1);
      memory.write(0, x.data, 0, x.data.length);
      const plan = await prepare({ memories: [memory], tensors, steps, threads: 1 });
      const [got, back, other] = (await plan.run([2, 3, 6], false))!.results;
      plan.dispose();
      const want = tensorOf([2, deep, rows, columns], (i) => {
        const [column, row, channel] = [
          i % columns,
          Math.floor(i / columns) % rows,
          Math.floor(i / columns / rows) % deep,
        ];
        const c = Math.floor(channel / bh / bw);
        const [y, px] = [row * bh + (Math.floor(channel / bw) % bh) - pad, column * bw + (channel % bw) - pad];
        const image = Math.floor(i / columns / rows / deep);
        const inside = c < channels && y >= 0 && y < h && px >= 0 && px < w;
        return inside ? x.data[((image * channels + c) * h + y) * w + px]! : 0;
      });
      assert.deepEqual(got, want.data);
      assert.deepEqual(other, want.data);
      assert.deepEqual(back, x.data);
    }
    memory.dispose();
  });

  it('of images whose pixels do not fit into blocks are refused', async () => {
    const memory = allocate(1 << 12, (await openDevice('cuda-sim')).native);
    const plan = async (
      kernel: string,
      [from, to]: readonly (readonly number[])[],
      [blockH, blockW, padH, padW]: readonly number[],
    ): Promise<void> => {
      const tensors = [from!, to!].map((shape, i) => {
        return { memory: 0, offset: 2048 * i, shape, dtype: 'f32' as const, channelsLast: false };
      });
      const attributes = { blockH: blockH!, blockW: blockW!, padH: padH!, padW: padW! };
      const steps = [{ kernel, label: 'step', inputs: [0], outputs: [1], attributes }];
      (await prepare({ memories: [memory], tensors, steps, threads: 1 })).dispose();
    };
    const [images, blocks] = [
      [1, 3, 5, 5],
      [1, 16, 3, 3],
    ];
    await plan('space_to_depth', [images, blocks], [2, 2, 0, 0]);
    await plan('depth_to_space', [blocks, images], [2, 2, 1, 1]);
    await assert.rejects(plan('space_to_depth', [images, blocks], [3, 2, 0, 0]), /a channel for every pixel/);
    await assert.rejects(plan('space_to_depth', [images, blocks], [2 ** 30, 2 ** 30, 0, 0]), /a channel for every/);
    await assert.rejects(plan('space_to_depth', [images, blocks], [0, 2, 0, 0]), /a channel for every pixel/);
    await assert.rejects(plan('space_to_depth', [images, blocks], [2, 2, -1, 0]), /padding within the blocks/);
    await assert.rejects(plan('space_to_depth', [images, blocks], [2, 2, 0, 7]), /padding within the blocks/);
    await assert.rejects(plan('space_to_depth', [images, [2, 16, 3, 3]], [2, 2, 0, 0]), /as many images/);
    await assert.rejects(plan('depth_to_space', [blocks, images], [2, 2, 2, 0]), /a block for every pixel/);
    memory.dispose();
  });

  for (const { name, channels, extent, kernel, stride, pad = 0, filters = 8 } of STRIDED) {
    it(`go through a convolution with a stride whose pixels become channels: ${name}`, async () => {
      const net = graph({ x: input([channels, ...extent]) }, ({ x }) => ({
        y: conv2d(x, { name: 'conv', filters, kernel, stride, pad }),
      }));
      const [weight] = net.parameters;
      // What either type holds exactly, so that nothing but the stored results is rounded.
      const eighths = (shape: Shape, seed: number): Tensor => {
        const { data } = noise(shape, seed, 4);
        return tensorOf(shape, (i) => Math.round(data[i]! * 8) / 8);
      };
      const weights = { 'conv.weight': eighths(weight!.shape, 1), 'conv.bias': eighths([filters], 2) };
      const shape = [2, channels, ...extent];
      const from = { conv: eighths([2, ...net.outputs.y.shape.slice(1)], 4).data };
      const of = ['x', 'conv.weight', 'conv.bias'];
      const answers = async (device: string, precision: 'float32' | Halves): Promise<Tensor[]> => {
        await using model = await compile(net, { device, precision, batch: 2, weights });
        const { outputs, gradients } = await model.backward({ x: eighths(shape, 3).data }, { of, from });
        return [outputs.y, ...of.map((value) => gradients[value]!)];
      };
      const want = await answers('cpu', 'float32');
      for (const precision of ['bfloat16', 'float16'] as const) {
        const got = await answers('cuda-sim', precision);
        want.forEach(({ data }, i) =>
          assertClose(got[i]!.data, data, `${precision}: ${['y', ...of][i]}`, 2 * ROUNDING[precision]),
        );
      }
    });
  }

  it('are rounded indeed', async () => {
    const [want, got] = await Promise.all([
      between(OPS.sigmoid!, 'cpu', 'float32'),
      between(OPS.sigmoid!, 'cuda-sim', 'bfloat16'),
    ]);
    assert.throws(() => assertClose(got.y.data, want.y.data, 'y', 2 ** -12));
  });

  /** AlexNet's layers with few channels: two groups, LRN, overlapping pooling, dropout. */
  const small = graph({ data: input([3, 19, 19]), label: input([]) }, ({ data, label }) => {
    const conv1 = relu(conv2d(data, { name: 'conv1', filters: 8, kernel: 5, stride: 2 }));
    const norm1 = maxPool(lrn(conv1, { localSize: 5, alpha: 1e-4 }), { kernel: 3, stride: 2 });
    const conv2 = relu(conv2d(norm1, { name: 'conv2', filters: 12, kernel: 3, pad: 1, groups: 2 }));
    const pool5 = maxPool(conv2, { kernel: 3, stride: 2 });
    const fc6 = dropout(relu(dense(pool5, { name: 'fc6', units: 32 })), { ratio: 0.2 });
    return { loss: softmaxLoss(dense(fc6, { name: 'fc8', units: 4 }), label) };
  });

  interface Training {
    readonly losses: readonly number[];
    readonly weights: readonly number[];
    readonly bytes: number;
  }

  async function train(device: string, precision: 'float32' | Halves): Promise<Training> {
    const solver = sgd({ rate: 0.05, momentum: 0.9 });
    await using model = await compile(small, { device, precision, batch: 8, seed: 3, solver });
    const inputs = { data: noise([8, 3, 19, 19], 1).data, label: labels(8, 4).data };
    const losses = [];
    for (let i = 0; i < 15; i++) losses.push((await model.step(inputs)).loss);
    const weights = Object.values(await model.weights()).flatMap(({ data }) => [...data]);
    return { losses, weights, bytes: model.memoryUsage().work };
  }

  it('teach a small AlexNet as float32 does, in less memory, to the same bits every time', async () => {
    const whole = await train('cpu', 'float32');
    const { bytes } = await train('cuda-sim', 'float32');
    assert.ok(whole.losses.at(-1)! < 0.5 * whole.losses[0]!, whole.losses.join());
    for (const precision of ['bfloat16', 'float16'] as const) {
      const half = await train('cuda-sim', precision);
      assert.ok(half.bytes < 0.95 * bytes, `${half.bytes} of ${bytes} bytes`);
      assert.ok(half.losses.at(-1)! < 0.5 * half.losses[0]!, `${precision}: ${half.losses.join()}`);
      half.losses.slice(0, 5).forEach((loss, i) => {
        assert.ok(Math.abs(loss - whole.losses[i]!) < 0.05, `${precision}: step ${i}: ${loss}, ${whole.losses[i]}`);
      });
      assert.deepEqual(await train('cuda-sim', precision), half);
    }
  });

  /**
   * Convolutions whose filters have channels last, taps that are channels, filled up and not, a weight of an odd number of elements; each product
   * reads its copy.
   */
  const copied = graph({ data: input([3, 11, 10]), label: input([]) }, ({ data, label }) => {
    const conv0 = relu(conv2d(data, { name: 'conv0', filters: 5, kernel: 3, stride: 2 }));
    const conv1 = relu(conv2d(conv0, { name: 'conv1', filters: 12, kernel: 2 }));
    const conv2 = conv2d(conv1, { name: 'conv2', filters: 16, kernel: 2 });
    const conv3 = conv2d(conv2, { name: 'conv3', filters: 8, kernel: 2, groups: 2 });
    const hidden = relu(dense(conv3, { name: 'ip1', units: 9 }));
    return { loss: softmaxLoss(dense(dense(hidden, { name: 'ip2', units: 5 }), { name: 'ip3', units: 3 }), label) };
  });
  const solvers = {
    sgd: sgd({ rate: 0.1, momentum: 0.9, iterSize: 2 }),
    nesterov: nesterov({ rate: 0.1, momentum: 0.9 }),
    adagrad: adagrad({ rate: 0.02 }),
    rmsprop: rmsprop({ rate: 0.01 }),
    adadelta: adadelta({ rate: 10 }),
    adam: adam({ rate: 0.01, clip: 1 }),
    adamW: adamW({ rate: 0.01 }),
  };

  for (const [name, solver] of Object.entries(solvers)) {
    it(`that ${name} writes beside the weights are what is made of the weights`, async () => {
      const inputs = { data: noise([3, 3, 11, 10], 1).data, label: labels(3, 3).data };
      const follow = async (precision: Halves, again: boolean): Promise<unknown> => {
        await using model = await compile(copied, { device: 'cuda-sim', precision, batch: 3, seed: 3, solver });
        const losses = [];
        for (let i = 0; i < 4; i++) {
          losses.push((await model.step(inputs)).loss);
          if (i === 1) losses.push((await model.forward(inputs)).loss.data[0]);
          // Loaded weights are converted anew.
          if (again) await model.load(feeds(await model.weights()));
        }
        return { losses, weights: await model.weights() };
      };
      for (const precision of ['bfloat16', 'float16'] as const)
        assert.deepEqual(await follow(precision, false), await follow(precision, true));
    });
  }

  it('that are not finite are found where they begin', async () => {
    const net = graph({ x: input([4]) }, ({ x }) => ({
      y: dense(exp(dense(x, { name: 'in', units: 4 }), { name: 'large' }), { name: 'out', units: 2 }),
    }));
    const weights = { 'in.weight': new Float32Array(16).fill(4), 'out.weight': new Float32Array(8).fill(1) };
    const code = async (precision: 'float32' | Halves): Promise<string> => {
      await using model = await compile(net, { device: 'cuda-sim', precision, weights });
      const run = model.forward({ x: [1, 1, 1, 1] }, { checkFinite: true });
      return await run.then(
        () => 'finite',
        (error: unknown) => String(error),
      );
    };
    assert.equal(await code('float32'), 'finite');
    assert.equal(await code('bfloat16'), 'finite');
    assert.match(await code('float16'), /large/, 'e^16 is more than 65504');
  });
});
