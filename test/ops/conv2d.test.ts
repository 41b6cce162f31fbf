import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ShapeError, type Tensor } from '../../lib/index.js';
import { ops } from '../../lib/kernels.js';
import { assertRectifies } from '../support/convolutions.js';
import {
  assertAgrees,
  assertClose,
  describeCaffe,
  doubles,
  doublesOf,
  forAll,
  random,
  runOp,
  seeds,
  type Doubles,
} from '../support/ops.js';

interface Geometry {
  readonly stride: readonly [number, number];
  readonly pad: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;
}

/** Calls `visit` with the flat positions of every product that a convolution adds up: of y, x and weight. */
function products(
  x: Doubles,
  weight: Doubles,
  g: Geometry,
  visit: (y: number, x: number, w: number) => void,
): number[] {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const [k, perGroup, r, s] = weight.shape as [number, number, number, number];
  const oh = Math.floor((h + 2 * g.pad[0] - g.dilation[0] * (r - 1) - 1) / g.stride[0]) + 1;
  const ow = Math.floor((w + 2 * g.pad[1] - g.dilation[1] * (s - 1) - 1) / g.stride[1]) + 1;
  for (let y = 0; y < n * k * oh * ow; y++) {
    const [image, filter] = [Math.floor(y / (k * oh * ow)), Math.floor(y / (oh * ow)) % k];
    const [row, column] = [Math.floor(y / ow) % oh, y % ow];
    const first = Math.floor(filter / (k / g.groups)) * perGroup;
    for (let f = 0; f < perGroup * r * s; f++) {
      const channel = first + Math.floor(f / (r * s));
      const xr = row * g.stride[0] + (Math.floor(f / s) % r) * g.dilation[0] - g.pad[0];
      const xc = column * g.stride[1] + (f % s) * g.dilation[1] - g.pad[1];
      if (xr < 0 || xr >= h || xc < 0 || xc >= w) continue;
      visit(y, ((image * c + channel) * h + xr) * w + xc, filter * perGroup * r * s + f);
    }
  }
  return [n, k, oh, ow];
}

function convolve([x, weight, bias]: readonly Doubles[], g: Geometry): Doubles {
  const shape = products(x!, weight!, { ...g }, () => undefined);
  const plane = shape[2]! * shape[3]!;
  const y = doublesOf(shape, (i) => bias?.data[Math.floor(i / plane) % shape[1]!] ?? 0);
  products(x!, weight!, g, (i, j, f) => (y.data[i]! += x!.data[j]! * weight!.data[f]!));
  return y;
}

const small = (min: number, max: number) => fc.integer({ min, max });
const two = (min: number, max: number) => fc.tuple(small(min, max), small(min, max));

/** From the first to the last. */
type Range = readonly [number, number];

/** Random convolutions whose kernel fits; of each group so many channels and filters, and `most` groups and images. */
function cases(channels: Range, filters: Range, extent: number, taps: Range = [1, 4], most = 3) {
  return fc
    .record({
      n: small(1, most),
      inputs: small(...channels),
      outputs: small(...filters),
      groups: small(1, most),
      extent: two(1, extent),
      kernel: two(...taps),
      stride: two(1, 3),
      pad: two(0, 2),
      dilation: two(1, 2),
      bias: fc.boolean(),
      seed: seeds,
    })
    .filter(({ extent: e, kernel, pad, dilation }) =>
      [0, 1].every((i) => e[i]! + 2 * pad[i]! >= dilation[i]! * (kernel[i]! - 1) + 1),
    );
}

type Case = ReturnType<typeof cases> extends fc.Arbitrary<infer T> ? T : never;

function tensorsOf({ n, inputs, outputs, groups, extent, kernel, bias, seed }: Case): Tensor[] {
  const tensors = [
    random([n, inputs * groups, ...extent], seed),
    random([outputs * groups, inputs, ...kernel], seed + 1),
  ];
  return bias ? [...tensors, random([outputs * groups], seed + 2)] : tensors;
}

/** The products are the same read three ways. */
async function assertProducts(one: Case): Promise<void> {
  const { stride, pad, dilation, groups } = one;
  const geometry = { stride, pad, dilation, groups };
  const tensors = tensorsOf(one);
  const [x, weight] = tensors.map(doubles);
  const want = convolve(tensors.map(doubles), geometry);
  const dy = random(want.shape, 77);
  const dx = doublesOf(x!.shape, () => 0);
  const dweight = doublesOf(weight!.shape, () => 0);
  products(x!, weight!, geometry, (i, j, f) => {
    dx.data[j]! += dy.data[i]! * weight!.data[f]!;
    dweight.data[f]! += dy.data[i]! * x!.data[j]!;
  });
  const { outputs, gradients } = await runOp(ops.conv2d, tensors, geometry, [dy]);
  assertClose(outputs[0]!.data, want.data, 'y');
  assertClose(gradients[0]!.data, dx.data, 'dx');
  assertClose(gradients[1]!.data, dweight.data, 'dweight');
}

describe('conv2d', () => {
  it('agrees with plain loops and their slopes', () =>
    forAll(cases([1, 2], [1, 2], 5), async (one) => {
      const { stride, pad, dilation, groups } = one;
      const geometry = { stride, pad, dilation, groups };
      await assertAgrees(ops.conv2d, tensorsOf(one), geometry, (all) => [convolve(all, geometry)]);
    }));

  // Wide enough to fill vectors and blocks, and to leave tails.
  it('agrees with plain loops where the maps and channels are many', () =>
    forAll(cases([1, 24], [1, 40], 20), assertProducts));

  // So many that either way the source is turned round: channels last.
  it('agrees with plain loops where every number is used often', () =>
    forAll(cases([57, 70], [57, 70], 6, [3, 4], 2), assertProducts));

  it('gives the same bits twice, and nearly the same on one thread', async () => {
    const tensors = [random([4, 16, 19, 17], 1), random([32, 8, 3, 3], 2), random([32], 3)];
    const options = { groups: 2, pad: 1 };
    const run = (threads: number) => ops.conv2d(tensors, { ...options, threads });
    const [[once], [twice], [single]] = [await run(2), await run(2), await run(1)];
    assert.deepEqual(once!.data, twice!.data);
    assertClose(single!.data, Float64Array.from(once!.data), 'one thread');
  });

  it('rectifies on the way out', () => assertRectifies([2, 8, 15, 15], { filters: 20, kernel: 3, stride: 2 }));

  it('refuses what does not fit', async () => {
    const conv = (options: object, weight = [4, 3, 3, 3]) =>
      ops.conv2d([random([1, 3, 5, 5], 1), random(weight, 2)], options);
    const rejects = (promise: Promise<unknown>, message: RegExp) =>
      assert.rejects(promise, { name: ShapeError.name, message });
    await rejects(conv({ groups: 2 }), /channels divisible by groups 2, got 3/);
    await rejects(conv({}, [4, 2, 3, 3]), /weight/);
    await rejects(conv({}, [4, 3, 6, 3]), /kernel of at most 5x5 for input \(1, 3, 5, 5\), got 6x3/);
    await rejects(conv({ dilation: 3 }), /got 3x3 with dilation 3x3/);
    await rejects(conv({ stride: 0 }), /stride to be a whole number of at least 1, got 0/);
    await rejects(conv({ pad: -1 }), /pad to be a whole number of at least 0, got -1/);
  });

  describeCaffe(ops.conv2d, {
    conv_plain: {},
    conv_k11_s4: { stride: 4 },
    conv_k11_s4_floor: { stride: 4 },
    conv_pad2_k5: { pad: 2 },
    conv_group2: { pad: 1, groups: 2 },
    conv_alex2: { pad: 2, groups: 2 },
    conv_depthwise: { pad: 1, groups: 4 },
    conv_dilation2: { pad: 2, dilation: 2 },
    conv_1x1: {},
    conv_1x1_s2: { stride: 2 },
    conv_nonsquare: { stride: [2, 1], pad: [0, 2] },
    conv_nobias: {},
    conv_s2_pad1: { stride: 2, pad: 1 },
  });
});
