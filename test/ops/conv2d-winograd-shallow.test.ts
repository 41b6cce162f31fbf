/** Winograd's convolution of few channels where the rule takes it, beside the direct one. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { assertRectifies, kernels, run, type Case } from '../support/convolutions.js';
import { assertClose, forAll, seeds } from '../support/ops.js';

const whole = (min: number, max: number) => fc.integer({ min, max });
const FORWARD = 'conv2d_winograd_shallow';
const WGRAD = 'conv2d_winograd_shallow_wgrad';

/** Edges of tiles, tails of vectors of tiles and filters, odd planes, bands of several rows, and all of a wide image. */
const cases: fc.Arbitrary<Case> = fc.record({
  images: whole(1, 3),
  groups: fc.constant(1),
  channels: whole(3, 8),
  filters: whole(8, 35),
  extent: fc.tuple(whole(12, 40), whole(12, 90)),
  taps: fc.constant(5),
  pad: fc.tuple(whole(0, 6), whole(0, 6)),
  bias: fc.boolean(),
  seed: seeds,
});

const first: Case = {
  images: 32,
  groups: 1,
  channels: 3,
  filters: 32,
  extent: [32, 32],
  taps: 5,
  pad: [2, 2],
  bias: true,
  seed: 5,
};

describe('conv2d of few channels by Winograd', () => {
  async function agrees(one: Case, kernel: string): Promise<void> {
    fc.pre(kernels(one).includes(kernel));
    const [fast, plain] = [await run(one, 'all'), await run(one, 'none')];
    fast.forEach((tensor, i) => assertClose(tensor.data, Float64Array.from(plain[i]!.data), `result ${i}`, 3e-5));
  }

  it('gives what the direct convolution gives, to rounding', () => forAll(cases, (one) => agrees(one, FORWARD)));

  it('gives its filters and biases the gradients that the direct one does', async () => {
    const tails = { ...first, channels: 5, filters: 17, images: 43, extent: [19, 45], pad: [1, 2] } as const;
    const ragged = { ...first, filters: 9, images: 55, extent: [25, 26], pad: [2, 1], bias: false } as const;
    for (const one of [first, tails, ragged]) {
      assert.ok(kernels(one).includes(WGRAD));
      await agrees(one, WGRAD);
    }
  });

  it('is taken for the first layer of the CIFAR-10 nets', () =>
    assert.deepEqual(kernels(first), [FORWARD, 'conv2d_flat_dgrad', WGRAD]));

  it('is left where it does not pay, or loses too much to rounding', () => {
    assert.deepEqual(kernels({ ...first, images: 31 }), [FORWARD, 'conv2d_flat_dgrad', 'conv2d_rows_wgrad']);
    for (const other of [{ channels: 2 }, { taps: 3 }, { dilation: 2 }, { stride: 2 }, { groups: 2 }, { filters: 7 }]) {
      const taken = kernels({ ...first, ...other });
      assert.ok(!taken.includes(FORWARD) && !taken.includes(WGRAD), `${JSON.stringify(other)}: ${taken.join()}`);
    }
    assert.ok(!kernels({ ...first, extent: [13, 13], pad: [0, 0] }).includes(FORWARD));
  });

  it('rectifies on the way out', () => assertRectifies([2, 3, 24, 24], { filters: 9, kernel: 5, pad: 2 }));

  it('gives the same bits twice, and forward at any number of threads', async () => {
    const [once, twice, single] = [await run(first, 'all'), await run(first, 'all'), await run(first, 'all', 1)];
    once.forEach((tensor, i) => assert.deepEqual(twice[i]!.data, tensor.data));
    assert.deepEqual(single[0]!.data, once[0]!.data);
  });
});
