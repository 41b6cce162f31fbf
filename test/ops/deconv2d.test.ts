import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ShapeError, type Tensor } from '../../lib/index.js';
import { ops } from '../../lib/kernels.js';
import {
  assertAgrees,
  describeCaffe,
  doublesOf,
  forAll,
  random,
  seeds,
  type Doubles,
  type Loops,
} from '../support/ops.js';

interface Geometry {
  readonly stride: readonly [number, number];
  readonly pad: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;
}

/** Every input pixel lays a weighted copy of the filter into the result. */
function deconvolve([x, weight, bias]: readonly Doubles[], { stride, pad, dilation, groups }: Geometry): Doubles {
  const [n, c, h, w] = x!.shape as [number, number, number, number];
  const [, perGroup, r, s] = weight!.shape as [number, number, number, number];
  const k = perGroup * groups;
  const oh = stride[0] * (h - 1) + dilation[0] * (r - 1) + 1 - 2 * pad[0];
  const ow = stride[1] * (w - 1) + dilation[1] * (s - 1) + 1 - 2 * pad[1];
  const y = doublesOf([n, k, oh, ow], (i) => bias?.data[Math.floor(i / (oh * ow)) % k] ?? 0);
  for (let i = 0; i < x!.data.length; i++) {
    const [image, channel, row, column] = [
      Math.floor(i / (c * h * w)),
      Math.floor(i / (h * w)) % c,
      Math.floor(i / w) % h,
      i % w,
    ];
    const first = Math.floor(channel / (c / groups)) * perGroup;
    for (let f = 0; f < perGroup * r * s; f++) {
      const [filter, fr, fs] = [Math.floor(f / (r * s)), Math.floor(f / s) % r, f % s];
      const [yr, yc] = [row * stride[0] + fr * dilation[0] - pad[0], column * stride[1] + fs * dilation[1] - pad[1]];
      if (yr < 0 || yr >= oh || yc < 0 || yc >= ow) continue;
      y.data[((image * k + first + filter) * oh + yr) * ow + yc]! +=
        x!.data[i]! * weight!.data[channel * perGroup * r * s + f]!;
    }
  }
  return y;
}

const small = (min: number, max: number) => fc.integer({ min, max });
const two = (min: number, max: number) => fc.tuple(small(min, max), small(min, max));
const cases = fc
  .record({
    n: small(1, 2),
    inputs: small(1, 3),
    outputs: small(1, 2),
    groups: small(1, 3),
    extent: two(1, 4),
    kernel: two(1, 3),
    stride: two(1, 3),
    pad: two(0, 1),
    dilation: two(1, 2),
    bias: fc.boolean(),
    seed: seeds,
  })
  .filter(({ extent, kernel, stride, pad, dilation }) =>
    [0, 1].every((i) => stride[i]! * (extent[i]! - 1) + dilation[i]! * (kernel[i]! - 1) + 1 > 2 * pad[i]!),
  );

describe('deconv2d', () => {
  it('agrees with plain loops', () =>
    forAll(cases, async ({ n, inputs, outputs, groups, extent, kernel, stride, pad, dilation, bias, seed }) => {
      const tensors: Tensor[] = [
        random([n, inputs * groups, ...extent], seed),
        random([inputs * groups, outputs, ...kernel], seed + 1),
      ];
      if (bias) tensors.push(random([outputs * groups], seed + 2));
      const loops: Loops = (all) => [deconvolve(all, { stride, pad, dilation, groups })];
      await assertAgrees(
        ops.deconv2d,
        tensors,
        { filters: outputs * groups, kernel, stride, pad, dilation, groups, bias },
        loops,
      );
    }));

  it('refuses what does not fit', async () => {
    const x = random([1, 4, 3, 3], 1);
    const deconv = (options: object, weight = [4, 2, 2, 2]) =>
      ops.deconv2d([x, random(weight, 2)], { filters: 2, kernel: 2, bias: false, ...options });
    await assert.rejects(deconv({ groups: 3 }), {
      name: ShapeError.name,
      message: /channels divisible by groups 3, got 4/,
    });
    await assert.rejects(deconv({ groups: 4 }), {
      name: ShapeError.name,
      message: /filters divisible by groups 4, got 2/,
    });
    await assert.rejects(deconv({ pad: 2 }), {
      name: ShapeError.name,
      message: /padding that leaves a result for input \(1, 4, 3, 3\)/,
    });
    await assert.rejects(deconv({ stride: 0 }), {
      name: ShapeError.name,
      message: /stride to be a whole number of at least 1, got 0/,
    });
    await assert.rejects(deconv({}, [4, 3, 2, 2]), {
      name: ShapeError.name,
      message: /weight of shape \(4, 2, 2, 2\)/,
    });
  });

  describeCaffe(ops.deconv2d, {
    deconv: { filters: 2, kernel: 3 },
    deconv_s2p1: { filters: 4, kernel: 4, stride: 2, pad: 1 },
    deconv_group: { filters: 4, kernel: 2, stride: 2, groups: 4, bias: false },
  });
});
