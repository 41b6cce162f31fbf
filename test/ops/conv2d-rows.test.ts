/** The convolution row by row where the rule takes it, beside the direct one. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { assertRectifies, kernels, run, type Case } from '../support/convolutions.js';
import { assertClose, forAll, seeds } from '../support/ops.js';

const whole = (min: number, max: number) => fc.integer({ min, max });
const ROWS = ['conv2d_rows', 'conv2d_flat_dgrad', 'conv2d_rows_wgrad'];

/** Tails of filters, taps and vectors, and rows of one to four vectors of every width. */
const cases: fc.Arbitrary<Case> = fc
  .record({
    images: whole(1, 4),
    groups: whole(1, 2),
    channels: whole(1, 3),
    filters: whole(1, 14),
    height: whole(1, 9),
    width: fc.constantFrom(12, 16, 27, 32, 45, 64),
    taps: fc.tuple(whole(1, 3), whole(1, 8)),
    pad: fc.tuple(whole(0, 2), whole(0, 2)),
    dilation: fc.constantFrom(1, 1, 2),
    bias: fc.boolean(),
    seed: seeds,
  })
  .map(({ height, width, taps, pad, dilation, ...rest }) => {
    // As many pixels as give features of this extent.
    const extent = [height, width].map((size, i) => size - 2 * pad[i]! + dilation * (taps[i]! - 1));
    return { ...rest, taps, pad, dilation, extent: [extent[0]!, extent[1]!] as const };
  })
  .filter(({ extent }) => extent.every((size) => size > 0));

describe('conv2d row by row', () => {
  it('gives the bits of the direct convolution, and its gradients to rounding', () =>
    forAll(cases, async (one) => {
      const taken = kernels(one);
      fc.pre(taken.includes('conv2d_rows'));
      assert.equal(taken.includes('conv2d_rows_wgrad'), one.dilation === 1);
      const [fast, plain] = [await run(one, 'all'), await run(one, 'none')];
      assert.deepEqual(fast[0]!.data, plain[0]!.data);
      fast.forEach((tensor, i) => assertClose(tensor.data, Float64Array.from(plain[i]!.data), `result ${i}`));
    }));

  const first: Case = {
    images: 5,
    groups: 1,
    channels: 3,
    filters: 32,
    extent: [32, 32],
    taps: 3,
    pad: [1, 1],
    bias: true,
    seed: 5,
  };

  it('rectifies', () => assertRectifies([2, 3, 20, 48], { filters: 9, kernel: 3, pad: 1 }));

  it('is taken for a first layer of 3 × 3 taps', () => assert.deepEqual(kernels(first), ROWS));

  it('is left where rows are short or the taps many', () => {
    const plain = ['conv2d_filters', 'conv2d_packed', 'conv2d_flat_dgrad', 'conv2d_wgrad'];
    assert.deepEqual(kernels({ ...first, extent: [32, 20] }), plain);
    assert.ok(!kernels({ ...first, channels: 15, filters: 5 }).some((kernel) => kernel.startsWith('conv2d_rows')));
  });

  it('gives the same bits at any number of threads', async () => {
    const [one, two, three] = [await run(first, 'all', 1), await run(first, 'all', 2), await run(first, 'all', 3)];
    one.forEach((tensor, i) => {
      assert.deepEqual(two[i]!.data, tensor.data);
      assert.deepEqual(three[i]!.data, tensor.data);
    });
  });
});
