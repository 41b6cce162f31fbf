import assert from 'node:assert/strict';
import { compile, fixedInput, graph, ShapeError, spp } from '../../lib/index.js';
import { assertClose, random } from '../support/ops.js';

describe('spp', () => {
  it('pools an image of any size into the same number of bins', () => {
    for (const [h, w] of [
      [8, 8],
      [7, 11],
      [13, 9],
    ] as const) {
      const net = graph({ x: fixedInput([2, 3, h, w]) }, ({ x }) => ({ y: spp(x, { levels: 3 }) }));
      assert.deepEqual(net.outputs.y.shape, [2, 3 * 21]);
    }
  });

  for (const pool of ['max', 'average'] as const) {
    it(`takes the ${pool} of each bin`, async () => {
      const net = graph({ x: fixedInput([1, 2, 4, 4]) }, ({ x }) => ({ y: spp(x, { name: 'spp', levels: 2, pool }) }));
      using model = await compile(net);
      const x = random([1, 2, 4, 4], 1);
      const bin = (c: number, top: number, left: number, size: number): number => {
        const values = Array.from(
          { length: size * size },
          (_, i) => x.data[(c * 4 + top + Math.floor(i / size)) * 4 + left + (i % size)]!,
        );
        return pool === 'max' ? Math.max(...values) : values.reduce((a, b) => a + b, 0) / values.length;
      };
      const corners = [
        [0, 0],
        [0, 2],
        [2, 0],
        [2, 2],
      ] as const;
      const want = [
        bin(0, 0, 0, 4),
        bin(1, 0, 0, 4),
        ...[0, 1].flatMap((c) => corners.map(([top, left]) => bin(c, top, left, 2))),
      ];
      const { y } = await model.forward({ x });
      assertClose(y.data, want, 'pyramid', 1e-6);
    });
  }

  it('refuses a pyramid taller than the image', () => {
    const build = (levels: number) => graph({ x: fixedInput([1, 1, 3, 3]) }, ({ x }) => ({ y: spp(x, { levels }) }));
    assert.throws(() => build(4), { name: ShapeError.name });
    assert.throws(() => build(0), { name: ShapeError.name, message: /spp: expected levels between 1 and 15, got 0/ });
  });
});
