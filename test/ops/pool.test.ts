import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ShapeError, type Tensor } from '../../lib/index.js';
import { ops } from '../../lib/kernels.js';
import {
  assertAgrees,
  assertClose,
  describeCaffe,
  distinct,
  doubles,
  forAll,
  random,
  seeds,
  tensorOf,
  type Doubles,
  type Loops,
} from '../support/ops.js';

interface Geometry {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly pad: readonly [number, number];
  readonly round: 'ceil' | 'floor';
}

/** Windows along one axis, as pooling_layer.cpp counts them. */
function windows(size: number, axis: 0 | 1, { kernel, stride, pad, round }: Geometry): number {
  let n = Math[round]((size + 2 * pad[axis] - kernel[axis]) / stride[axis]) + 1;
  if (pad[0] + pad[1] > 0 && (n - 1) * stride[axis] >= size + pad[axis]) n--;
  return n;
}

/** Calls visit(index of the output, indices of its window's elements, its extent in the padded plane). */
function forWindows(
  x: Doubles,
  g: Geometry,
  visit: (window: { at: number; plane: number; taps: number[]; extent: number }) => void,
): readonly number[] {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const [oh, ow] = [windows(h, 0, g), windows(w, 1, g)];
  let at = 0;
  for (let plane = 0; plane < n * c; plane++) {
    for (let i = 0; i < oh; i++) {
      for (let j = 0; j < ow; j++, at++) {
        const [top, left] = [i * g.stride[0] - g.pad[0], j * g.stride[1] - g.pad[1]];
        const [bottom, right] = [Math.min(top + g.kernel[0], h + g.pad[0]), Math.min(left + g.kernel[1], w + g.pad[1])];
        const taps: number[] = [];
        for (let r = Math.max(top, 0); r < Math.min(bottom, h); r++) {
          for (let s = Math.max(left, 0); s < Math.min(right, w); s++) taps.push((plane * h + r) * w + s);
        }
        visit({ at, plane: plane * h * w, taps, extent: (bottom - top) * (right - left) });
      }
    }
  }
  return [n, c, oh, ow];
}

const maxLoops =
  (g: Geometry): Loops =>
  ([x]) => {
    const y: number[] = [];
    const mask: number[] = [];
    const shape = forWindows(x!, g, ({ at, plane, taps }) => {
      const best = taps.reduce((a, b) => (x!.data[b]! > x!.data[a]! ? b : a));
      y[at] = x!.data[best]!;
      mask[at] = best - plane;
    });
    return [y, mask].map((data) => ({ data: Float64Array.from(data), shape }));
  };

const averageLoops =
  (g: Geometry): Loops =>
  ([x]) => {
    const y: number[] = [];
    const shape = forWindows(x!, g, ({ at, taps, extent }) => {
      y[at] = taps.reduce((sum, i) => sum + x!.data[i]!, 0) / extent;
    });
    return [{ data: Float64Array.from(y), shape }];
  };

const axis = fc
  .record({ kernel: fc.integer({ min: 1, max: 5 }), stride: fc.integer({ min: 1, max: 4 }), pad: fc.nat(2) })
  .filter(({ kernel, pad }) => pad < kernel);

/** Windows that all touch an image of this size. */
const geometries = fc
  .record({ rows: axis, columns: axis, round: fc.constantFrom('ceil' as const, 'floor' as const) })
  .map(({ rows, columns, round }): Geometry => ({
    kernel: [rows.kernel, columns.kernel],
    stride: [rows.stride, columns.stride],
    pad: [rows.pad, columns.pad],
    round,
  }))
  .chain((g) =>
    fc
      .record({
        g: fc.constant(g),
        shape: fc.tuple(
          fc.integer({ min: 1, max: 2 }),
          fc.integer({ min: 1, max: 2 }),
          fc.integer({ min: 1, max: 7 }),
          fc.integer({ min: 1, max: 40 }),
        ),
        seed: seeds,
      })
      .filter(({ shape }) =>
        ([0, 1] as const).every((a) => {
          const n = windows(shape[2 + a]!, a, g);
          return n > 0 && (n - 1) * g.stride[a] - g.pad[a] < shape[2 + a]!;
        }),
      ),
  );

const THREES: Geometry = { kernel: [3, 3], stride: [2, 2], pad: [0, 0], round: 'ceil' };

/** What AlexNet and the CIFAR-10 nets pool by THREES: wider than two vectors, two rows in one, windows that overhang. */
const KNOWN = [
  [1, 2, 55, 55],
  [1, 2, 27, 27],
  [1, 2, 13, 13],
  [1, 2, 32, 32],
  [1, 2, 16, 16],
  [1, 2, 8, 8],
] as const;

describe('maxPool', () => {
  it('agrees with plain loops', () =>
    forAll(geometries, async ({ g, shape, seed }) => {
      const x = distinct(shape, seed);
      const loops = maxLoops(g);
      await assertAgrees(ops.maxPool, [x], g, (inputs) => loops(inputs).slice(0, 1));
      await assertAgrees(ops.maxPool, [x], { ...g, mask: true }, loops, { wrt: [] });
    }));

  it('agrees on the shapes of well-known nets and on windows wider than a byte can number', async () => {
    const cases: readonly [readonly number[], Geometry][] = [
      ...KNOWN.map((shape): [readonly number[], Geometry] => [shape, THREES]),
      [[1, 2, 37, 37], { ...THREES, pad: [1, 1] }],
      [[1, 2, 14, 16], { ...THREES, pad: [1, 0] }],
      [[1, 2, 17, 36], { ...THREES, pad: [0, 2], round: 'floor' }],
      [[1, 2, 9, 33], { ...THREES, stride: [1, 2] }],
      [[1, 1, 32, 70], { kernel: [3, 3], stride: [1, 1], pad: [1, 1], round: 'ceil' }],
      [[1, 2, 20, 40], { kernel: [17, 19], stride: [2, 2], pad: [3, 4], round: 'ceil' }],
    ];
    for (const [shape, g] of cases) {
      const x = distinct(shape, 5);
      const [y] = maxLoops(g)([{ data: Float64Array.from(x.data), shape }]);
      const dy = random(y!.shape, 6);
      const [got] = await ops.maxPool([x], g);
      assert.deepEqual(Array.from(got!.data), Array.from(y!.data));
      const [dx] = await ops.maxPool.backward([x], [dy], g);
      assertClose(dx!.data, maxGradient(x, dy, g), 'dx');
    }
  });

  it('gives ties to the first element in row-major order', async () => {
    const options = { kernel: 2, stride: 2 };
    const x = tensorOf([1, 1, 2, 4], () => 7);
    const [, mask] = await ops.maxPool([x], { ...options, mask: true });
    assert.deepEqual(Array.from(mask!.data), [0, 2]);
    const [dx] = await ops.maxPool.backward([x], [tensorOf([1, 1, 1, 2], (i) => i + 1)], options);
    assert.deepEqual(Array.from(dx!.data), [1, 0, 2, 0, 0, 0, 0, 0]);
  });

  it('gives ties to the first element in windows that share rows', async () => {
    for (const shape of KNOWN) {
      const x = tensorOf(shape, (i) => (i * 7) % 3);
      const dy = random((await ops.maxPool([x], THREES))[0]!.shape, 6);
      const [dx] = await ops.maxPool.backward([x], [dy], THREES);
      assertClose(dx!.data, maxGradient(x, dy, THREES), 'dx');
    }
  });

  it('lets NaN lose wherever it stands in a window', async () => {
    const numbers = distinct([1, 1, 7, 35], 3);
    const x = { ...numbers, data: numbers.data.map((v, i) => (i % 4 === 0 ? NaN : v)) };
    const [y] = await ops.maxPool([x], { kernel: 3, stride: 2 });
    const lost = { ...x, data: x.data.map((v) => (Number.isNaN(v) ? -Infinity : v)) };
    const [want] = await ops.maxPool([lost], { kernel: 3, stride: 2 });
    assert.deepEqual(y!.data, want!.data);
    const dy = [tensorOf(y!.shape, (i) => i + 1)];
    const [dx] = await ops.maxPool.backward([x], dy, { kernel: 3, stride: 2 });
    assert.deepEqual(dx!.data, (await ops.maxPool.backward([lost], dy, { kernel: 3, stride: 2 }))[0]!.data);
  });

  it('lets NaN lose and keeps windows of infinities', async () => {
    const x = { data: Float32Array.of(NaN, 2, -Infinity, -Infinity), shape: [1, 2, 1, 2] };
    const [y] = await ops.maxPool([x], { global: true });
    assert.deepEqual(Array.from(y!.data), [2, -Infinity]);
    const [dx] = await ops.maxPool.backward([x], [tensorOf([1, 2, 1, 1], () => 1)], { global: true });
    assert.deepEqual(Array.from(dx!.data), [0, 1, 1, 0]);
  });

  it('refuses windows that make no sense', async () => {
    const x = random([1, 1, 5, 5], 1);
    const refused: readonly [object, RegExp][] = [
      [{ kernel: 1, stride: 5 }, /every window to touch the image \(1, 1, 5, 5\), but window 1 of height starts at 5/],
      [{ kernel: 2, pad: 2 }, /pad below the kernel 2x2, got 2x2/],
      [{ kernel: 9, round: 'floor' }, /kernel height of at most 5 .* got 9/],
      [{ kernel: 3, round: 'up' }, /round to be ceil or floor, got up/],
      [{ kernel: 3, global: true }, /global without kernel/],
      [{}, /a kernel, or global/],
      [{ kernel: 0 }, /kernel to be a whole number of at least 1, got 0/],
      [{ kernel: 2 ** 20, stride: 2 ** 20 }, /kernel of fewer than 2\^31 taps/],
    ];
    for (const [options, message] of refused) {
      await assert.rejects(ops.maxPool([x], options), { name: ShapeError.name, message });
      await assert.rejects(ops.averagePool([x], options), { name: ShapeError.name, message });
    }
    await assert.rejects(ops.maxPool([random([2, 3], 1)], { kernel: 2 }), { message: /expected input \(N, C, H, W\)/ });
  });

  describeCaffe(ops.maxPool, {
    pool_max_k3s2_odd: { kernel: 3, stride: 2 },
    pool_max_k3s2_even: { kernel: 3, stride: 2 },
    pool_max_pad1: { kernel: 3, stride: 2, pad: 1 },
    pool_max_padclip: { kernel: 2, stride: 2, pad: 1 },
    pool_max_global: { global: true },
    pool_max_ties: { kernel: 3, stride: 2 },
    pool_max_mask: { kernel: 2, stride: 2, mask: true },
    pool_max_nonsquare: { kernel: [3, 2], stride: [2, 1], pad: [1, 0] },
  });
});

function maxGradient(x: Tensor, dy: Tensor, g: Geometry): Float32Array {
  const dx = new Float32Array(x.data.length);
  const exact = { data: Float64Array.from(x.data), shape: x.shape };
  const winners: number[] = [];
  forWindows(exact, g, ({ at, taps }) => {
    winners[at] = taps.reduce((a, b) => (exact.data[b]! > exact.data[a]! ? b : a));
  });
  winners.forEach((winner, at) => (dx[winner] = dx[winner]! + dy.data[at]!));
  return dx;
}

describe('averagePool', () => {
  it('agrees with plain loops', () =>
    forAll(geometries, async ({ g, shape, seed }) => {
      await assertAgrees(ops.averagePool, [random(shape, seed)], g, averageLoops(g));
    }));

  it('agrees on the shapes of well-known nets', async () => {
    const cases: readonly [readonly number[], Geometry][] = [
      ...KNOWN.map((shape): [readonly number[], Geometry] => [shape, THREES]),
      [[1, 2, 14, 16], { ...THREES, pad: [1, 0] }],
      [[1, 2, 9, 14], { ...THREES, stride: [1, 2] }],
    ];
    for (const [shape, g] of cases) {
      const x = random(shape, 7);
      const [y] = averageLoops(g)([doubles(x)]);
      assertClose((await ops.averagePool([x], g))[0]!.data, y!.data, 'y');
      const dy = random(y!.shape, 8);
      const dx = new Float64Array(x.data.length);
      forWindows(doubles(x), g, ({ at, taps, extent }) => {
        for (const i of taps) dx[i] = dx[i]! + dy.data[at]! / extent;
      });
      assertClose((await ops.averagePool.backward([x], [dy], g))[0]!.data, dx, 'dx');
    }
  });

  it('averages whole planes', async () => {
    const x = random([2, 3, 9, 11], 4);
    const g: Geometry = { kernel: [9, 11], stride: [1, 1], pad: [0, 0], round: 'ceil' };
    await assertAgrees(ops.averagePool, [x], { global: true }, averageLoops(g));
  });

  it('counts padding but not the overhang', async () => {
    const ones = tensorOf([1, 1, 4, 4], () => 1);
    const [y] = await ops.averagePool([ones], { kernel: 3, stride: 2, pad: 1 });
    assert.ok(Math.abs(y!.data[0]! - 4 / 9) < 1e-6);
    const [last] = await ops.averagePool([ones], { kernel: 3, stride: 2 });
    assert.deepEqual(Array.from(last!.data), [1, 1, 1, 1]);
  });

  describeCaffe(ops.averagePool, {
    pool_ave_k3s2_odd: { kernel: 3, stride: 2 },
    pool_ave_k3s2_even: { kernel: 3, stride: 2 },
    pool_ave_pad1: { kernel: 3, stride: 2, pad: 1 },
    pool_ave_padclip: { kernel: 2, stride: 2, pad: 1 },
    pool_ave_global: { global: true },
    pool_ave_floor: { kernel: 3, stride: 2, round: 'floor' },
  });
});
