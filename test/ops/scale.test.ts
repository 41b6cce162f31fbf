import assert from 'node:assert/strict';
import fc from 'fast-check';
import { bias, compile, graph, input, scale, ShapeError, type Shape } from '../../lib/index.js';
import { ops } from '../../lib/kernels.js';
import { assertAgrees, describeCaffe, doublesOf, forAll, random, seeds, shapes, type Loops } from '../support/ops.js';

/** Which element of a tensor along the axes [axis, axis + numAxes) belongs to element i of x. */
function alongOf(shape: Shape, axis: number, numAxes: number): (i: number) => number {
  const product = (extents: Shape): number => extents.reduce((a, b) => a * b, 1);
  const [size, inner] = [product(shape.slice(axis, axis + numAxes)), product(shape.slice(axis + numAxes))];
  return (i) => Math.floor(i / inner) % size;
}

const cases = shapes(1, 4)
  .chain((shape) => fc.tuple(fc.constant(shape), fc.nat(shape.length - 1)))
  .chain(([shape, axis]) =>
    fc.tuple(fc.constant(shape), fc.constant(axis), fc.integer({ min: 0, max: shape.length - axis }), seeds),
  );

describe('scale', () => {
  const loops =
    (axis: number, numAxes: number): Loops =>
    ([x, weight, bias]) => {
      const at = alongOf(x!.shape, axis, numAxes);
      return [doublesOf(x!.shape, (i) => x!.data[i]! * weight!.data[at(i)]! + (bias ? bias.data[at(i)]! : 0))];
    };

  it('agrees with plain loops, with and without bias', () =>
    forAll(cases, async ([shape, axis, numAxes, seed]) => {
      const along = shape.slice(axis, axis + numAxes);
      const inputs = [random(shape, seed), random(along, seed + 1), random(along, seed + 2)];
      await assertAgrees(ops.scale, inputs.slice(0, 2), { axis, numAxes }, loops(axis, numAxes));
      await assertAgrees(ops.scale, inputs, { axis, numAxes, bias: true }, loops(axis, numAxes));
    }));

  it('agrees over long rows and columns, on any number of threads', async () => {
    for (const [shape, axis] of [
      [[2, 3, 9001], 1],
      [[3000, 37], 1],
      [[2, 40], 0],
    ] as const) {
      const along = [shape[axis]];
      for (const threads of [1, 3]) {
        const inputs = [random(shape, 1), random(along, 2), random(along, 3)];
        await assertAgrees(ops.scale, inputs, { axis, bias: true, threads }, loops(axis, 1), { wrt: [] });
        const dy = random(shape, 4);
        const [, dweight, dbias] = await ops.scale.backward(inputs, [dy], { axis, bias: true, threads });
        const at = alongOf(shape, axis, 1);
        const sums = [new Float64Array(along[0]!), new Float64Array(along[0]!)];
        dy.data.forEach((d, i) => {
          sums[0]![at(i)]! += d * inputs[0]!.data[i]!;
          sums[1]![at(i)]! += d;
        });
        // A sum of terms of either sign may cancel: it is judged by what its terms add up to.
        for (const [k, got] of [dweight!, dbias!].entries()) {
          got.data.forEach((v, i) => assert.ok(Math.abs(v - sums[k]![i]!) < 1e-3, `${k} ${i}`));
        }
      }
    }
  });

  it('multiplies by another value of the graph, itself included', async () => {
    const net = graph({ data: input([3]) }, ({ data }) => ({ square: scale(data, { by: data, axis: 0 }) }));
    await using model = await compile(net, { batch: 2 });
    const data = random([2, 3], 1);
    const { square } = await model.forward({ data });
    assert.deepEqual(
      square.data,
      data.data.map((v) => v * v),
    );
    const { gradients } = await model.backward(
      { data },
      { of: ['data'], from: { scale1: new Float32Array(6).fill(1) } },
    );
    assert.deepEqual(
      gradients.data!.data,
      data.data.map((v) => 2 * v),
    );
  });

  it('starts as the identity', async () => {
    const net = graph({ data: input([3]) }, ({ data }) => ({ y: bias(scale(data, { bias: true })) }));
    await using model = await compile(net, { batch: 2 });
    const data = random([2, 3], 1);
    assert.deepEqual((await model.forward({ data })).y.data, data.data);
  });

  it('refuses what does not lie along the input', async () => {
    await assert.rejects(ops.scale([random([2, 3], 1), random([2], 1)]), {
      name: ShapeError.name,
      message: /scale: expected weight \(3\) along axis 1 of \(2, 3\), got \(2\)/,
    });
    assert.throws(() => graph({ x: input([3]) }, ({ x }) => ({ y: scale(x, { numAxes: 2 }) })), {
      name: ShapeError.name,
      message: /2 axes from axis 1 on to fit \(1, 3\)/,
    });
    assert.throws(() => graph({ x: input([3]) }, ({ x }) => ({ y: bias(x, { numAxes: -2 }) })), {
      message: /numAxes .* got -2/,
    });
  });

  describeCaffe(ops.scale, {
    scale: {},
    scale_bias: { bias: true },
    scale_axis: { axis: 1, numAxes: 2 },
    scale_two_bottoms: { axis: 1 },
  });
});

describe('bias', () => {
  it('agrees with plain loops', () =>
    forAll(cases, async ([shape, axis, numAxes, seed]) => {
      const inputs = [random(shape, seed), random(shape.slice(axis, axis + numAxes), seed + 1)];
      const at = alongOf(shape, axis, numAxes);
      await assertAgrees(ops.bias, inputs, { axis, numAxes }, ([x, b]) => [
        doublesOf(shape, (i) => x!.data[i]! + b!.data[at(i)]!),
      ]);
    }));

  describeCaffe(ops.bias, { bias: {} });
});

describe('prelu', () => {
  it('agrees with plain loops', () =>
    forAll(fc.tuple(shapes(2, 4), fc.boolean(), seeds), async ([shape, channelShared, seed]) => {
      const inputs = [random(shape, seed, { avoid: [0] }), random(channelShared ? [] : [shape[1]!], seed + 1)];
      const at = channelShared ? () => 0 : alongOf(shape, 1, 1);
      await assertAgrees(ops.prelu, inputs, { channelShared }, ([x, slope]) => [
        doublesOf(shape, (i) => (x!.data[i]! > 0 ? x!.data[i]! : x!.data[i]! * slope!.data[at(i)]!)),
      ]);
    }));

  it('takes the slope at zero', async () => {
    const inputs = [random([1, 1], 1, { min: 0, max: 0 }), random([1], 2)];
    const [dx] = await ops.prelu.backward(inputs, [{ data: Float32Array.of(2), shape: [1, 1] }]);
    assert.equal(dx!.data[0], 2 * inputs[1]!.data[0]!);
  });

  it('refuses slopes that do not fit', async () => {
    await assert.rejects(ops.prelu([random([2, 3], 1), random([2], 1)]), {
      name: ShapeError.name,
      message: /slope.*\(3\).*got.*\(2\)/,
    });
    await assert.rejects(ops.prelu([random([2], 1), random([2], 1)]), {
      name: ShapeError.name,
      message: /an input \(N, C, …\), got \(2\)/,
    });
  });

  describeCaffe(ops.prelu, { prelu: {} });
});
