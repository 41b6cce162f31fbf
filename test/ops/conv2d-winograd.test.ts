/** Winograd's convolution where the rule takes it, against plain loops, beside the direct one. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { assertRectifies, kernels, run, steps, type Case } from '../support/convolutions.js';
import { assertClose, forAll, seeds } from '../support/ops.js';

const whole = (min: number, max: number) => fc.integer({ min, max });

/** Edges and tails of tiles, vectors and groups; large enough for the rule, which is asserted. */
const cases: fc.Arbitrary<Case & { readonly taps: number }> = fc
  .record({
    images: whole(6, 9),
    groups: whole(1, 2),
    channels: whole(17, 40),
    filters: whole(17, 56),
    extent: fc.tuple(whole(10, 19), whole(10, 19)),
    taps: whole(3, 5),
    stride: fc.constant(1),
    pad: fc.tuple(whole(0, 2), whole(0, 2)),
    bias: fc.boolean(),
    seed: seeds,
  })
  .filter(({ taps, pad }) => pad.every((p) => p < taps));

/** With a stride: few channels, which phases make more, and filters some of whose phases lack taps. */
const strided: fc.Arbitrary<Case> = fc
  .record({ one: cases, stride: whole(2, 4), channels: whole(1, 7), lacking: whole(0, 3) })
  .map(({ one, stride, channels, lacking }) => ({
    ...one,
    stride,
    channels,
    taps: one.taps * stride - (lacking % stride),
    extent: [one.extent[0] * stride + 1, one.extent[1] * stride] as const,
  }));

/** Few tiles and many filters, which are made on the way; as many tiles as registers hold, fewer and more. */
const few: fc.Arbitrary<Case> = fc
  .record({
    one: cases,
    images: whole(1, 3),
    channels: whole(49, 80),
    filters: whole(49, 100),
    extent: fc.tuple(whole(8, 15), whole(8, 15)),
    stride: whole(1, 2),
  })
  .map(({ one, channels, extent, stride, ...rest }) => ({
    ...one,
    ...rest,
    channels: Math.ceil(channels / stride ** 2),
    extent: [extent[0] * stride, extent[1] * stride] as const,
    taps: 3 * stride,
    stride,
  }));

const isFew = (one: Case): boolean =>
  steps(one).some((step) => step.kernel === 'conv2d_winograd' && step.attributes.few);

describe('conv2d by Winograd', () => {
  async function agrees(one: Case, threads = 2): Promise<void> {
    const taken = kernels(one).filter((kernel) => kernel.startsWith('conv2d_winograd'));
    fc.pre(taken.length > 0);
    const [fast, plain] = [await run(one, 'all', threads), await run(one, 'none')];
    // Winograd may lose ten times what the direct convolution loses, at the worst of many elements.
    fast.forEach((tensor, i) => assertClose(tensor.data, Float64Array.from(plain[i]!.data), `result ${i}`, 3e-5));
  }

  it('gives what the direct convolution gives, to rounding, forward and backward', () =>
    forAll(cases, (one) => agrees(one)));

  it('gives it with a stride, too', () => forAll(strided, (one) => agrees(one)));

  it('gives it with filters that are made on the way, whatever the threads share', () =>
    forAll(fc.tuple(few, whole(1, 3)), ([one, threads]) => {
      fc.pre(isFew(one));
      return agrees(one, threads);
    }));

  const alexnet: Case = {
    images: 8,
    groups: 2,
    channels: 48,
    filters: 128,
    extent: [27, 27],
    taps: 5,
    stride: 1,
    pad: [2, 2],
    bias: true,
    seed: 5,
  };
  const first: Case = {
    ...alexnet,
    groups: 1,
    channels: 3,
    filters: 96,
    extent: [227, 227],
    taps: 11,
    stride: 4,
    pad: [0, 0],
  };

  it('is taken for conv2 of AlexNet, in every direction', () =>
    assert.deepEqual(kernels(alexnet), [
      'winograd_filters',
      'winograd_filters',
      'conv2d_winograd',
      'conv2d_winograd_dgrad',
      'conv2d_winograd_wgrad',
    ]));

  it('is taken for conv1 of AlexNet, whose image has no gradient, and for filters of 7 × 7 with a stride of 2', () => {
    const expected = ['winograd_filters', 'conv2d_winograd', 'conv2d_flat_dgrad', 'conv2d_winograd_wgrad'];
    assert.deepEqual(kernels(first), expected);
    assert.deepEqual(kernels({ ...first, extent: [224, 224], taps: 7, stride: 2, pad: [3, 3] }), expected);
  });

  it('cuts maps into the tiles that leave the least over, of 7 for 3 × 3 filters and gradients of many tiles', () => {
    const tiles = (one: Case): unknown[] =>
      steps(one)
        .filter((step) => step.kernel.startsWith('conv2d_winograd'))
        .map((step) => step.attributes.tile);
    assert.deepEqual(tiles(alexnet), [8, 8, 8]);
    assert.deepEqual(tiles({ ...alexnet, images: 256 }), [8, 8, 7]);
    assert.deepEqual(tiles({ ...alexnet, extent: [16, 16] }), [8, 8, 8]);
    assert.deepEqual(tiles({ ...alexnet, extent: [9, 9] }), [7, 7, 7]);
    assert.deepEqual(tiles({ ...alexnet, taps: 3, pad: [1, 1] }), [7, 7, 7]);
  });

  it('makes the filters of 3 × 3 taps on the way for one image, and not for more', () => {
    const conv3 = {
      ...alexnet,
      groups: 1,
      channels: 256,
      filters: 384,
      extent: [13, 13],
      taps: 3,
      pad: [1, 1],
    } as const;
    assert.ok(isFew({ ...conv3, images: 1 }));
    assert.ok(!isFew({ ...conv3, images: 2 }));
    assert.ok(!isFew({ ...alexnet, images: 1 }));
  });

  it('is left where it does not pay, or has no answer', () => {
    const plain = ['conv2d_filters', 'conv2d_packed', 'conv2d_dgrad', 'conv2d_wgrad'];
    assert.deepEqual(kernels({ ...alexnet, channels: 6, filters: 5, extent: [20, 20] }), plain);
    assert.deepEqual(kernels({ ...alexnet, taps: 2, pad: [1, 1] }), plain);
    assert.deepEqual(kernels({ ...first, channels: 5, taps: 8 }), plain);
    assert.deepEqual(kernels({ ...alexnet, pad: [5, 2] }), plain);
  });

  it('rectifies on the way out', () =>
    assertRectifies([8, 96, 27, 27], { filters: 256, kernel: 5, pad: 2, groups: 2 }));

  it('gives the same bits twice, and the same on one thread', async () => {
    const small: Case = { ...alexnet, images: 1, channels: 64, extent: [13, 13], taps: 3, pad: [1, 1] };
    assert.ok(isFew(small));
    for (const one of [alexnet, { ...first, images: 2 }, small]) {
      const [once, twice, single] = [await run(one, 'all'), await run(one, 'all'), await run(one, 'all', 1)];
      once.forEach((tensor, i) => {
        assert.deepEqual(twice[i]!.data, tensor.data);
        if (i < 2) assert.deepEqual(single[i]!.data, tensor.data);
      });
    }
  });
});
