import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ShapeError } from '../../lib/index.js';
import { ops } from '../../lib/kernels.js';
import { assertAgrees, describeCaffe, doublesOf, forAll, random, seeds, type Loops } from '../support/ops.js';

interface Options {
  readonly region: 'across' | 'within';
  readonly localSize: number;
  readonly alpha: number;
  readonly beta: number;
  readonly k: number;
}

const loops =
  ({ region, localSize, alpha, beta, k }: Options): Loops =>
  ([x]) => {
    const [, channels, h, w] = x!.shape as [number, number, number, number];
    const half = (localSize - 1) / 2;
    const near = (a: number, b: number): boolean => Math.abs(a - b) <= half;
    return [
      doublesOf(x!.shape, (i) => {
        const [column, row, channel] = [i % w, Math.floor(i / w) % h, Math.floor(i / (w * h)) % channels];
        const image = i - ((channel * h + row) * w + column);
        let sum = 0;
        const add = (c: number, r: number, s: number): void => {
          sum += x!.data[image + (c * h + r) * w + s]! ** 2;
        };
        if (region === 'across') {
          for (let c = 0; c < channels; c++) if (near(c, channel)) add(c, row, column);
          return x!.data[i]! * (k + (alpha / localSize) * sum) ** -beta;
        }
        for (let r = 0; r < h; r++) for (let s = 0; s < w; s++) if (near(r, row) && near(s, column)) add(channel, r, s);
        return x!.data[i]! * (1 + (alpha / localSize ** 2) * sum) ** -beta;
      }),
    ];
  };

const options = fc.record({
  localSize: fc.constantFrom(1, 3, 5, 7, 9),
  alpha: fc.constantFrom(1e-4, 0.5, 2),
  beta: fc.constantFrom(0.75, 0.5, 1, 0.6, 0.25),
  k: fc.constantFrom(1, 2),
});

describe('lrn', () => {
  it('agrees with plain loops across channels', () =>
    forAll(
      fc.record({
        options,
        shape: fc.tuple(
          fc.integer({ min: 1, max: 2 }),
          fc.integer({ min: 1, max: 9 }),
          fc.constantFrom(1, 2, 5),
          fc.constantFrom(1, 3, 7),
        ),
        seed: seeds,
      }),
      async ({ options, shape, seed }) => {
        const chosen = { ...options, region: 'across' as const };
        await assertAgrees(ops.lrn, [random(shape, seed, { min: -2, max: 2 })], chosen, loops(chosen));
      },
    ));

  it('agrees with plain loops within a channel', () =>
    forAll(
      fc.record({
        options,
        shape: fc.tuple(
          fc.constant(1),
          fc.integer({ min: 1, max: 2 }),
          fc.integer({ min: 1, max: 7 }),
          fc.constantFrom(1, 4, 19),
        ),
        seed: seeds,
      }),
      async ({ options, shape, seed }) => {
        const chosen = { ...options, region: 'within' as const };
        await assertAgrees(ops.lrn, [random(shape, seed, { min: -2, max: 2 })], chosen, loops(chosen));
      },
    ));

  it('agrees within planes wider than a vector', async () => {
    for (const [localSize, h, w] of [
      [5, 3, 37],
      [5, 6, 16],
      [3, 6, 16],
      [3, 1, 37],
    ]) {
      const chosen = { region: 'within', localSize: localSize!, alpha: 0.8, beta: 0.75, k: 1 } as const;
      await assertAgrees(ops.lrn, [random([1, 2, h!, w!], 4, { min: -2, max: 2 })], chosen, loops(chosen));
    }
  });

  it('agrees over several tiles of pixels, on any number of threads', async () => {
    const chosen = { region: 'across', localSize: 5, alpha: 0.3, beta: 0.75, k: 2 } as const;
    const x = random([2, 7, 43, 51], 9, { min: -3, max: 3 });
    for (const threads of [1, 2, 3]) {
      await assertAgrees(ops.lrn, [x], { ...chosen, threads }, loops(chosen), { wrt: [] });
    }
  });

  it('refuses options that make no sense', async () => {
    const x = random([1, 2, 3, 3], 1);
    await assert.rejects(ops.lrn([x], { localSize: 4 }), {
      name: ShapeError.name,
      message: /an odd localSize .* got 4/,
    });
    await assert.rejects(ops.lrn([x], { region: 'both' as 'within' }), {
      message: /region to be across or within, got both/,
    });
    await assert.rejects(ops.lrn([x], { alpha: NaN }), { name: ShapeError.name, message: /a finite alpha, got NaN/ });
    await assert.rejects(ops.lrn([random([2, 3], 1)]), {
      name: ShapeError.name,
      message: /input \(N, C, H, W\), got \(2, 3\)/,
    });
  });

  describeCaffe(ops.lrn, {
    lrn_across_alexnet: { localSize: 5, alpha: 1e-4, beta: 0.75 },
    lrn_across_strong: { localSize: 3, alpha: 1.5, beta: 0.5, k: 2 },
    lrn_across_size_gt_channels: { localSize: 5, alpha: 1, beta: 0.75, k: 1 },
    lrn_across_size1: { localSize: 1, alpha: 0.5, beta: 0.75, k: 1 },
    lrn_within_cifar: { localSize: 3, alpha: 5e-5, beta: 0.75, region: 'within' },
    lrn_within_strong: { localSize: 5, alpha: 1, beta: 0.75, region: 'within' },
  });
});
