import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compile, dropout, graph, input, Random, ShapeError } from '../../lib/index.js';
import { ops } from '../../lib/kernels.js';
import { assertClose, describeCaffe, forAll, random, seeds, shapes } from '../support/ops.js';

describe('dropout', () => {
  it('keeps and scales, or drops, by the words of its random stream', () =>
    forAll(fc.tuple(shapes(1, 4), fc.constantFrom(0.1, 0.5, 0.9), seeds), async ([shape, ratio, seed]) => {
      const x = random(shape, seed, { min: 1, max: 2 });
      const dy = random(shape, seed + 1, { min: 1, max: 2 });
      const words = new Random(seed, 0); // the op is node 0 of its graph
      const keeps = Array.from(x.data, () => words.bits() >= Math.floor(ratio * 4294967295));
      const [y] = await ops.dropout([x], { ratio, seed });
      const [dx] = await ops.dropout.backward([x], [dy], { ratio, seed });
      assertClose(
        y!.data,
        x.data.map((v, i) => (keeps[i] ? v / (1 - ratio) : 0)),
        'y',
      );
      assertClose(
        dx!.data,
        dy.data.map((v, i) => (keeps[i] ? v / (1 - ratio) : 0)),
        'dx',
      );
    }));

  it('drops its share, independently of the neighbours, of other layers and of other runs', async () => {
    const net = graph({ data: input([100_000]) }, ({ data }) => ({
      a: dropout(data, { ratio: 0.3 }),
      b: dropout(data, { ratio: 0.3 }),
    }));
    await using model = await compile(net, { seed: 7 });
    const data = new Float32Array(100_000).fill(1);
    const first = await model.forward({ data }, { phase: 'train' });
    const second = await model.forward({ data }, { phase: 'train' });
    const share = (kept: ArrayLike<number>): number => Array.from(kept).filter((v) => v > 0).length / kept.length;
    const both = (x: Float32Array, y: Float32Array): number => share(x.map((v, i) => v * y[i]!));
    // Three standard deviations of a mean of 100,000 draws are 0.0044 and 0.0048.
    for (const { data } of [first.a, first.b, second.a]) assert.ok(Math.abs(share(data) - 0.7) < 0.0044);
    assert.ok(Math.abs(both(first.a.data, first.b.data) - 0.49) < 0.0048);
    assert.ok(Math.abs(both(first.a.data, second.a.data) - 0.49) < 0.0048);
    assert.ok(Math.abs(both(first.a.data.slice(0, -1), first.a.data.slice(1)) - 0.49) < 0.0048);
  });

  it('uses one mask for a run, forward and backward', async () => {
    const net = graph({ data: input([4096]) }, ({ data }) => ({ y: dropout(data, { name: 'drop' }) }));
    await using model = await compile(net, { seed: 3, batch: 2 });
    const ones = new Float32Array(8192).fill(1);
    const { outputs, gradients } = await model.backward({ data: ones }, { of: ['data'], from: { drop: ones } });
    assert.deepEqual(gradients.data!.data, outputs.y.data);
  });

  it('gives the same bits on any number of threads', async () => {
    const x = random([3, 5000], 1);
    const [one] = await ops.dropout([x], { seed: 5, threads: 1 });
    const [three] = await ops.dropout([x], { seed: 5, threads: 3 });
    assert.deepEqual(one!.data, three!.data);
  });

  it('does nothing in phase test or at ratio 0, both ways', async () => {
    const [x, dy] = [random([2, 3], 1), random([2, 3], 2)];
    for (const options of [
      { phase: 'test', ratio: 0.5 },
      { phase: 'train', ratio: 0 },
    ] as const) {
      const [y] = await ops.dropout([x], options);
      const [dx] = await ops.dropout.backward([x], [dy], options);
      assert.deepEqual(y!.data, x.data);
      assert.deepEqual(dx!.data, dy.data);
    }
  });

  it('refuses ratios outside [0, 1)', async () => {
    for (const ratio of [-0.1, 1, NaN]) {
      await assert.rejects(ops.dropout([random([2], 1)], { ratio }), {
        name: ShapeError.name,
        message: /ratio of at least 0 and below 1/,
      });
    }
  });

  describeCaffe(ops.dropout, { dropout_test: {} });
});
