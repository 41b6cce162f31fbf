/** Convolutions in bfloat16: the direct ones, forward and the filters' gradient, against float32 of rounded factors. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compile, conv2d, graph, input, type Graph, type Tensor } from '../../lib/index.js';
import { lower } from '../../lib/lower.js';
import { optimize } from '../../lib/passes/index.js';
import { toBf16 } from '../support/bf16.js';
import { assertRectifies } from '../support/convolutions.js';
import { assertClose, forAll, random, seeds } from '../support/ops.js';

type Two = readonly [number, number];

interface Case {
  readonly images: number;
  readonly groups: number;
  readonly channels: number;
  readonly filters: number;
  readonly extent: Two;
  readonly kernel: Two;
  readonly stride: Two;
  readonly pad: Two;
  readonly dilation: Two;
  readonly bias: boolean;
  readonly seed: number;
}

const whole = (min: number, max: number) => fc.integer({ min, max });
const two = (min: number, max: number) => fc.tuple(whole(min, max), whole(min, max));

/** Pairs of taps and of channels, odd ends of both, odd numbers of images, pads beyond the taps; all that is rounded. */
const cases: fc.Arbitrary<Case> = fc
  .record({
    images: whole(1, 5),
    groups: whole(1, 3),
    channels: whole(1, 9),
    filters: whole(1, 60),
    extent: two(1, 24),
    kernel: two(1, 6),
    stride: two(1, 4),
    pad: two(0, 3),
    dilation: two(1, 2),
    bias: fc.boolean(),
    seed: seeds,
  })
  .filter(({ extent, kernel, pad, dilation }) =>
    [0, 1].every((i) => extent[i]! + 2 * pad[i]! >= dilation[i]! * (kernel[i]! - 1) + 1),
  )
  .filter((one) => kernels(one).every((kernel) => kernel.startsWith('conv2d_bf16')));

const netOf = ({ groups, channels, filters, extent, kernel, stride, pad, dilation, bias }: Case): Graph<'x', 'y'> =>
  graph({ x: input([groups * channels, ...extent]) }, ({ x }) => ({
    y: conv2d(x, { name: 'conv', filters: groups * filters, kernel, stride, pad, dilation, groups, bias }),
  }));

function kernels(one: Case): readonly string[] {
  const net = netOf(one);
  const { y } = net.outputs;
  const { program } = lower(net, {
    batch: one.images,
    phase: 'train',
    fetch: [y],
    gradients: net.parameters,
    seeds: [y],
  });
  return optimize(program, { passes: 'all', precision: 'bfloat16' }).steps.map((step) => step.kernel);
}

function tensorsOf(one: Case): readonly Tensor[] {
  const { images, groups, channels, filters, extent, kernel, seed } = one;
  return [
    random([images, groups * channels, ...extent], seed),
    random([groups * filters, channels, ...kernel], seed + 1),
    random([images, ...netOf(one).outputs.y.shape.slice(1)], seed + 2),
  ];
}

/** y and the gradients of weight and bias. */
async function run(
  one: Case,
  [x, weight, dy]: readonly Tensor[],
  precision: 'float32' | 'bfloat16',
  threads = 2,
): Promise<readonly Tensor[]> {
  const net = netOf(one);
  const passes = precision === 'float32' ? 'none' : 'all';
  const model = await compile(net, { batch: one.images, precision, passes, threads });
  try {
    await model.load({ 'conv.weight': weight! });
    if (one.bias) await model.load({ 'conv.bias': random([one.groups * one.filters], one.seed + 3) });
    const of = net.parameters.map((p) => p.name);
    const { outputs, gradients } = await model.backward({ x: x! }, { of, from: { [net.outputs.y.name]: dy! } });
    return [outputs.y, ...of.map((name) => gradients[name]!)];
  } finally {
    model.dispose();
  }
}

const roundedOf = (tensors: readonly Tensor[]): readonly Tensor[] =>
  tensors.map(({ data, shape }) => ({ data: Float32Array.from(data, toBf16), shape }));

async function assertAgrees(one: Case): Promise<void> {
  const tensors = tensorsOf(one);
  const [y, dweight, dbias] = await run(one, tensors, 'bfloat16');
  const [wantY, wantDweight] = await run(one, roundedOf(tensors), 'float32');
  const [, , wantDbias] = await run(one, tensors, 'float32');
  assertClose(y!.data, wantY!.data, 'y');
  assertClose(dweight!.data, wantDweight!.data, 'dweight');
  if (wantDbias) assertClose(dbias!.data, wantDbias.data, 'dbias');
}

/** A first layer, of 3 channels, whose stride leaves Winograd too few taps. */
const first: Case = {
  images: 3,
  groups: 1,
  channels: 3,
  filters: 96,
  extent: [97, 91],
  kernel: [11, 11],
  stride: [6, 6],
  pad: [0, 0],
  dilation: [1, 1],
  bias: true,
  seed: 7,
};
/** Deeper than the pairs that are summed in registers at once, on more pixels than wait in cache. */
const deep: Case = { ...first, channels: 130, filters: 33, extent: [19, 31], kernel: [4, 2], stride: [1, 1] };
/** A single tap: pairs can only be of channels. */
const single: Case = { ...first, groups: 2, channels: 17, filters: 50, extent: [13, 13], kernel: [1, 1] };

describe('conv2d in bfloat16', () => {
  it('gives the sums of rounded factors to the rounding of float32, forward and for the filters', () =>
    forAll(cases, assertAgrees));

  for (const [name, one] of Object.entries({ first, deep, single, 'one image': { ...first, images: 1 } }))
    it(`does so for large ones: ${name}`, () => assertAgrees(one));

  it('is off by 2^-7 of the sum of magnitudes at most', async () => {
    const tensors = tensorsOf(first);
    const zero = { ...first, bias: false };
    const sizes = tensors.map(({ data, shape }) => ({ data: data.map(Math.abs), shape }));
    const [got, want, size] = [
      await run(zero, tensors, 'bfloat16'),
      await run(zero, tensors, 'float32'),
      await run(zero, sizes, 'float32'),
    ];
    const bound = 2 * 2 ** -8 + 2 ** -16 + 1e-4;
    want.forEach(({ data }, at) => {
      data.forEach((v, i) => assert.ok(Math.abs(got[at]!.data[i]! - v) <= bound * size[at]!.data[i]!));
    });
  });

  it('rectifies on the way out', () =>
    assertRectifies([2, 3, 41, 41], { filters: 20, kernel: 11, stride: 6 }, 'bfloat16'));

  it('gives the same bits twice, and on one thread', async () => {
    const tensors = tensorsOf(first);
    const once = await run(first, tensors, 'bfloat16');
    for (const threads of [2, 1]) {
      const again = await run(first, tensors, 'bfloat16', threads);
      once.slice(0, 2).forEach((tensor, i) => assert.deepEqual(again[i]!.data, tensor.data));
    }
  });

  it('leaves convolutions of few planes a group as they are', () => {
    const depthwise = { ...first, groups: 12, channels: 1, filters: 1, kernel: [3, 3] } as const;
    assert.deepEqual(kernels(depthwise), ['conv2d_depthwise', 'conv2d_depthwise_wgrad']);
  });

  it('leaves to Winograd what that does sooner, and keeps filters that no run changes', () => {
    const net = graph({ x: input([96, 27, 27]) }, ({ x }) => ({
      y: conv2d(conv2d(x, { filters: 256, kernel: 5, pad: 2, groups: 2 }), { filters: 8, kernel: 3, stride: 2 }),
    }));
    const { program } = lower(net, { batch: 8, phase: 'test', fetch: [net.outputs.y], gradients: [], seeds: [] });
    const { prologue, steps } = optimize(program, { passes: 'all', precision: 'bfloat16' });
    const kernels = (of: typeof steps): readonly string[] => of.map((step) => step.kernel);
    assert.deepEqual(kernels(prologue), ['winograd_filters', 'conv2d_bf16_filters']);
    assert.deepEqual(kernels(steps), ['conv2d_winograd', 'conv2d_bf16']);
  });
});
