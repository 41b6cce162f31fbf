/** Convolutions of few planes a group where the rule takes them, beside the direct ones. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { assertRectifies, deconvolve, kernels, run, type Case } from '../support/convolutions.js';
import { assertClose, forAll, seeds } from '../support/ops.js';

const whole = (min: number, max: number) => fc.integer({ min, max });
const two = (min: number, max: number) => fc.tuple(whole(min, max), whole(min, max));
const FLAT = ['conv2d_flat', 'conv2d_flat_dgrad', 'conv2d_flat_wgrad'];

/** Planes of one pixel to several bands, every tail of vectors, phases that no tap meets, and maps that share a block. */
const cases: fc.Arbitrary<Case> = fc
  .record({
    images: whole(1, 4),
    groups: whole(1, 9),
    channels: fc.constantFrom(1, 1, 1, 2, 3, 5),
    filters: fc.constantFrom(1, 1, 2, 3, 4, 6),
    extent: fc.oneof(two(1, 20), fc.tuple(whole(60, 90), whole(60, 90))),
    taps: two(1, 5),
    stride: two(1, 3),
    pad: two(0, 3),
    dilation: fc.constantFrom(1, 1, 2),
    bias: fc.boolean(),
    seed: seeds,
  })
  .filter(({ extent, taps, pad, dilation }) =>
    extent.every((size, i) => size + 2 * pad[i]! > dilation * (taps[i]! - 1)),
  );

const few: Case = {
  images: 3,
  groups: 5,
  channels: 1,
  filters: 1,
  extent: [14, 14],
  taps: 3,
  stride: 1,
  pad: [1, 1],
  bias: true,
  seed: 5,
};

describe('conv2d of few planes a group', () => {
  it('gives the bits of the direct convolution and of its input gradient, and the filters’ to rounding', () =>
    forAll(cases, async (one) => {
      const taken = kernels(one);
      fc.pre(taken.some((kernel) => FLAT.includes(kernel)));
      const [fast, plain] = [await run(one, 'all'), await run(one, 'none')];
      fast.forEach((tensor, i) => {
        const flat = [taken.includes(FLAT[0]!), taken.includes(FLAT[1]!)][i];
        if (flat) assert.deepEqual(tensor.data, plain[i]!.data, `result ${i}`);
        else assertClose(tensor.data, Float64Array.from(plain[i]!.data), `result ${i}`);
      });
    }));

  it('is taken for few channels with a filter each, of any width, stride and dilation', () => {
    for (const change of [
      {},
      { extent: [7, 7] as const },
      { stride: 2 },
      { dilation: 2 },
      { taps: 5, filters: 2, extent: [7, 7] as const },
    ])
      assert.deepEqual(kernels({ ...few, ...change }), FLAT);
  });

  it('is taken with pads wider than images, and left where a stride leaves single pixels', async () => {
    const wide: Case = { ...few, extent: [5, 20], taps: [1, 81], pad: [0, 45] };
    assert.deepEqual(kernels(wide), FLAT);
    const [fast, plain] = [await run(wide, 'all'), await run(wide, 'none')];
    fast.forEach((tensor, i) => assertClose(tensor.data, Float64Array.from(plain[i]!.data), `result ${i}`));
    assert.ok(!kernels({ ...few, extent: [40, 40], stride: 40 }).includes(FLAT[1]!));
  });

  it('is taken for the gradient of pictures', () => {
    const first: Case = { ...few, groups: 1, channels: 3, filters: 64, extent: [56, 56] };
    assert.equal(kernels(first).at(-2), FLAT[1]);
    assert.equal(kernels({ ...first, taps: 11, stride: 4 }).at(-2), FLAT[1]);
  });

  it('is taken for deconvolutions, to the same bits', async () => {
    for (const [options, expected] of [
      [
        { channels: 21, filters: 42, kernel: 4, stride: 2, pad: 1, groups: 21 },
        ['deconv2d_flat', 'deconv2d_flat_dgrad'],
      ],
      [{ channels: 17, filters: 3, kernel: 5, stride: 3, pad: 2 }, ['deconv2d_flat', 'deconv2d_dgrad']],
    ] as const) {
      const [fast, plain] = [await deconvolve(options, 'all'), await deconvolve(options, 'none')];
      assert.deepEqual(fast.kernels, expected);
      fast.tensors.forEach((tensor, i) => assert.deepEqual(tensor.data, plain.tensors[i]!.data, `result ${i}`));
    }
  });

  it('is left where planes fill vectors', () => {
    const wide = kernels({ ...few, groups: 2, channels: 16, filters: 16 });
    assert.ok(!wide.some((kernel) => FLAT.includes(kernel)));
  });

  it('gives the same bits at any number of threads', async () => {
    for (const one of [few, { ...few, extent: [120, 120] as const, stride: 2, groups: 2 }]) {
      const [alone, ...more] = [await run(one, 'all', 1), await run(one, 'all', 2), await run(one, 'all', 3)];
      for (const tensors of more)
        alone.forEach((tensor, i) => assert.deepEqual(tensors[i]!.data, tensor.data, `result ${i}`));
    }
  });

  it('rectifies', () => assertRectifies([2, 6, 9, 9], { filters: 6, kernel: 3, groups: 6, pad: 1 }));
});
