/** Depthwise convolutions with channels in lanes, beside the direct ones. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Tensor } from '../../lib/index.js';
import { assertRectifies, deconvolve, kernels, run, type Case } from '../support/convolutions.js';
import { assertClose, forAll, seeds } from '../support/ops.js';

const whole = (min: number, max: number) => fc.integer({ min, max });
const two = (min: number, max: number) => fc.tuple(whole(min, max), whole(min, max));
const DEPTHWISE = ['conv2d_depthwise', 'conv2d_depthwise_dgrad', 'conv2d_depthwise_wgrad'];

/** Every tail of lanes, squares and rows; planes of one pixel to several bands; phases that no tap meets. */
const cases: fc.Arbitrary<Case> = fc
  .record({
    images: whole(1, 4),
    groups: whole(8, 40),
    channels: fc.constant(1),
    filters: fc.constant(1),
    extent: fc.oneof(two(1, 20), two(1, 20), fc.tuple(whole(60, 90), whole(60, 90))),
    taps: two(1, 7),
    stride: two(1, 3),
    pad: two(0, 3),
    dilation: fc.constantFrom(1, 1, 2),
    bias: fc.boolean(),
    seed: seeds,
  })
  .filter(({ extent, taps, pad, dilation }) =>
    extent.every((size, i) => size + 2 * pad[i]! > dilation * (taps[i]! - 1)),
  );

const one: Case = {
  images: 3,
  groups: 20,
  channels: 1,
  filters: 1,
  extent: [14, 14],
  taps: 3,
  stride: 1,
  pad: [1, 1],
  bias: true,
  seed: 5,
};

/** y and the gradients of x and weight: the first two to the same bits, the third, whose sums are long, to rounding. */
function assertAlike(fast: readonly Tensor[], plain: readonly Tensor[]): void {
  fast.forEach((tensor, i) => {
    if (i < 2) assert.deepEqual(tensor.data, plain[i]!.data, `result ${i}`);
    else assertClose(tensor.data, Float64Array.from(plain[i]!.data), `result ${i}`);
  });
}

describe('conv2d of single channels', () => {
  it('gives the bits of the direct convolution and of its input gradient, and the filters’ to rounding', () =>
    forAll(cases, async (any) => assertAlike(await run(any, 'all'), await run(any, 'none'))));

  it('has channels in lanes at any width, stride, dilation and number of taps', () => {
    for (const change of [
      {},
      { extent: [7, 7] as const },
      { extent: [112, 112] as const, stride: 2 },
      { dilation: 2 },
      { taps: 7, pad: [3, 3] as const },
    ])
      assert.deepEqual(kernels({ ...one, ...change }), DEPTHWISE);
  });

  it('is taken with pads wider than images, and with strides that leave single pixels', async () => {
    const wide: Case = { ...one, extent: [5, 20], taps: [1, 81], pad: [0, 45] };
    for (const any of [wide, { ...one, extent: [40, 40], stride: 40 } as const]) {
      assert.deepEqual(kernels(any), DEPTHWISE);
      assertAlike(await run(any, 'all'), await run(any, 'none'));
    }
  });

  it('is left where few lanes would be filled, and where a channel has several filters or a filter several channels', () => {
    for (const change of [{ groups: 7 }, { filters: 2 }, { channels: 2, filters: 2 }]) {
      const taken = kernels({ ...one, ...change });
      assert.ok(!taken.some((kernel) => DEPTHWISE.includes(kernel)), taken.join());
    }
  });

  it('is taken for deconvolutions, to the same bits', async () => {
    const up = { channels: 21, filters: 21, kernel: 4, stride: 2, pad: 1, groups: 21 };
    const [fast, plain] = [await deconvolve(up, 'all'), await deconvolve(up, 'none')];
    assert.deepEqual(fast.kernels, ['deconv2d_depthwise', 'deconv2d_depthwise_dgrad']);
    fast.tensors.forEach((tensor, i) => assert.deepEqual(tensor.data, plain.tensors[i]!.data, `result ${i}`));
  });

  it('gives the same bits at any number of threads', async () => {
    for (const any of [one, { ...one, extent: [120, 120] as const, stride: 2, groups: 9 }]) {
      const [alone, ...more] = [await run(any, 'all', 1), await run(any, 'all', 2), await run(any, 'all', 3)];
      for (const tensors of more)
        alone.forEach((tensor, i) => assert.deepEqual(tensors[i]!.data, tensor.data, `result ${i}`));
    }
  });

  it('rectifies', () => assertRectifies([2, 19, 9, 9], { filters: 19, kernel: 3, groups: 19, pad: 1 }));
});
