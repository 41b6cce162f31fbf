/** Every kernel that takes tensors of 16 bits: ops between products that make them, and kernels by themselves. */
import assert from 'node:assert/strict';
import {
  abs,
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
  power,
  relu,
  reshape,
  sigmoid,
  slice,
  softmax,
  swish,
  tanh,
  type Tensor,
  type Value,
} from '../../lib/index.js';
import { openDevice } from '../../lib/device.js';
import { allocate, prepare, type NativePlanSpec } from '../../lib/native.js';
import { count, type Shape } from '../../lib/shape.js';
import { assertClose } from '../support/compare.js';
import { noise } from '../support/nets.js';
import { distinct, tensorOf } from '../support/ops.js';
import { needsSimulation } from '../support/simulation.js';

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
  before(needsSimulation);

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
});
