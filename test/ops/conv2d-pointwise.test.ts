/** Convolutions of 1 × 1 taps as products of matrices, where the rule takes them, beside the direct ones. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { assertRectifies, kernels, run, type Case } from '../support/convolutions.js';
import { assertClose, forAll, seeds } from '../support/ops.js';

const whole = (min: number, max: number) => fc.integer({ min, max });
const two = (min: number, max: number) => fc.tuple(whole(min, max), whole(min, max));
const POINTWISE = ['conv2d_pointwise', 'conv2d_pointwise_dgrad'];

/** Images alone and side by side, the last ones fewer, each way, with tails of panels and of tiles. */
const cases: fc.Arbitrary<Case> = fc.record({
  images: whole(1, 11),
  groups: whole(1, 2),
  channels: whole(64, 140),
  filters: whole(64, 100),
  extent: fc.oneof(two(1, 9), two(10, 17)),
  taps: fc.constant(1),
  stride: fc.oneof(fc.constant([1, 1] as const), two(1, 3)),
  pad: fc.constant([0, 0] as const),
  bias: fc.boolean(),
  seed: seeds,
});

const bottleneck: Case = {
  images: 3,
  groups: 1,
  channels: 256,
  filters: 64,
  extent: [14, 14],
  taps: 1,
  pad: [0, 0],
  bias: true,
  seed: 5,
};

describe('conv2d of 1 × 1 taps', () => {
  it('gives what the direct convolution does, and its input gradient', () =>
    forAll(cases, async (one) => {
      fc.pre(kernels(one).some((kernel) => POINTWISE.includes(kernel)));
      const [fast, plain] = [await run(one, 'all'), await run(one, 'none')];
      fast.forEach((tensor, i) => assertClose(tensor.data, Float64Array.from(plain[i]!.data), `result ${i}`));
    }));

  it('is taken for large products, whatever the stride', () => {
    const taken = (one: Case): string[] => kernels(one).filter((kernel) => POINTWISE.includes(kernel));
    assert.deepEqual(taken(bottleneck), POINTWISE);
    assert.deepEqual(taken({ ...bottleneck, stride: 2 }), POINTWISE);
    assert.deepEqual(taken({ ...bottleneck, extent: [7, 7] }), POINTWISE);
    assert.deepEqual(taken({ ...bottleneck, extent: [7, 7], images: 1 }), POINTWISE.slice(1));
    assert.deepEqual(taken({ ...bottleneck, channels: 16 }), POINTWISE.slice(0, 1));
    assert.deepEqual(taken({ ...bottleneck, channels: 15 }), []);
    assert.deepEqual(taken({ ...bottleneck, pad: [1, 1] }), []);
  });

  it('gives the same bits at any number of threads', async () => {
    for (const one of [bottleneck, { ...bottleneck, stride: 2 }, { ...bottleneck, images: 4 }]) {
      const [alone, ...more] = [await run(one, 'all', 1), await run(one, 'all', 2), await run(one, 'all', 3)];
      for (const tensors of more)
        alone.slice(0, 2).forEach((tensor, i) => assert.deepEqual(tensors[i]!.data, tensor.data, `result ${i}`));
    }
  });

  it('rectifies', async () => {
    await assertRectifies([2, 64, 12, 12], { filters: 24, kernel: 1 });
    await assertRectifies([3, 64, 7, 7], { filters: 24, kernel: 1 });
  });
});
