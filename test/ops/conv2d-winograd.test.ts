/** Winograd's convolution where the rule takes it, against plain loops, beside the direct one. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compile, conv2d, graph, input, relu } from '../../lib/index.js';
import { kernels, run, steps, type Case } from '../support/convolutions.js';
import { assertClose, forAll, random, seeds } from '../support/ops.js';

const whole = (min: number, max: number) => fc.integer({ min, max });

/** Edges and tails of tiles, vectors and groups; large enough for the rule, which is asserted. */
const cases: fc.Arbitrary<Case> = fc
  .record({
    images: whole(6, 9),
    groups: whole(1, 2),
    channels: whole(17, 40),
    filters: whole(17, 56),
    extent: fc.tuple(whole(10, 19), whole(10, 19)),
    taps: fc.constantFrom(3, 5),
    pad: fc.tuple(whole(0, 2), whole(0, 2)),
    bias: fc.boolean(),
    seed: seeds,
  })
  .filter(({ taps, pad }) => pad.every((p) => p < taps));

describe('conv2d by Winograd', () => {
  it('gives what the direct convolution gives, to rounding, forward and backward', () =>
    forAll(cases, async (one) => {
      const [fast, plain] = [await run(one, 'all'), await run(one, 'none')];
      const taken = kernels(one).filter((kernel) => kernel.startsWith('conv2d_winograd'));
      fc.pre(taken.length > 0);
      // Winograd may lose ten times what the direct convolution loses, at the worst of many elements.
      fast.forEach((tensor, i) => assertClose(tensor.data, Float64Array.from(plain[i]!.data), `result ${i}`, 3e-5));
    }));

  const alexnet: Case = {
    images: 8,
    groups: 2,
    channels: 48,
    filters: 128,
    extent: [27, 27],
    taps: 5,
    pad: [2, 2],
    bias: true,
    seed: 5,
  };

  it('is taken for conv2 of AlexNet, in every direction', () =>
    assert.deepEqual(kernels(alexnet), [
      'winograd_filters',
      'winograd_filters',
      'conv2d_winograd',
      'conv2d_winograd_dgrad',
      'conv2d_winograd_wgrad',
    ]));

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

  it('is left where it does not pay, or has no answer', () => {
    const plain = ['conv2d_filters', 'conv2d_packed', 'conv2d_dgrad', 'conv2d_wgrad'];
    assert.deepEqual(kernels({ ...alexnet, channels: 4, filters: 2, extent: [20, 20] }), plain);
    assert.deepEqual(kernels({ ...alexnet, taps: 4 }), plain);
    assert.deepEqual(kernels({ ...alexnet, pad: [5, 2] }), plain);
  });

  it('rectifies on the way out', async () => {
    const net = graph({ x: input([96, 27, 27]) }, ({ x }) => {
      const conv = conv2d(x, { name: 'conv', filters: 256, kernel: 5, pad: 2, groups: 2 });
      return { conv, act: relu(conv, { name: 'act' }) };
    });
    const model = await compile(net, { batch: 8 });
    try {
      const x = random([8, 96, 27, 27], 1);
      const { conv } = await model.forward({ x }, { fetch: ['conv'] });
      const { act } = await model.forward({ x }, { fetch: ['act'] });
      assert.deepEqual(
        act.data,
        conv.data.map((v) => Math.max(v, 0)),
      );
    } finally {
      model.dispose();
    }
  });

  it('gives the same bits twice, and the same on one thread', async () => {
    const [once, twice, single] = [await run(alexnet, 'all'), await run(alexnet, 'all'), await run(alexnet, 'all', 1)];
    once.forEach((tensor, i) => {
      assert.deepEqual(twice[i]!.data, tensor.data);
      if (i < 3) assert.deepEqual(single[i]!.data, tensor.data);
    });
  });
});
