import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  compile,
  dense,
  flatten,
  fixedInput,
  graph,
  input,
  parameter,
  power,
  reduction,
  relu,
  reshape,
  ShapeError,
  silence,
  split,
  stopGradient,
  add,
} from '../../lib/index.js';
import { ops } from '../../lib/kernels.js';
import { lower } from '../../lib/lower.js';
import { optimize } from '../../lib/passes/index.js';
import { assertAgrees, describeCaffe, forAll, random, seeds, shapes } from '../support/ops.js';

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

describe('split', () => {
  it('gives the same tensor several times and adds what comes back', () =>
    forAll(fc.tuple(shapes(0, 4), fc.integer({ min: 1, max: 5 }), seeds), async ([shape, parts, seed]) => {
      await assertAgrees(ops.split, [random(shape, seed)], { parts }, ([x]) => Array.from({ length: parts }, () => x!));
    }));

  it('refuses no parts', async () => {
    await assert.rejects(ops.split([random([1], 1)], { parts: 0 }), {
      name: ShapeError.name,
      message: /parts between 1 and 256, got 0/,
    });
  });

  describeCaffe(ops.split, { split: { parts: 3 } });
});

describe('flatten', () => {
  it('joins a range of axes', () =>
    forAll(
      shapes(1, 5).chain((shape) =>
        fc.tuple(fc.constant(shape), fc.nat(shape.length - 1), fc.nat(shape.length - 1), fc.boolean(), seeds),
      ),
      async ([shape, a, b, negative, seed]) => {
        const [axis, end] = [Math.min(a, b), Math.max(a, b)];
        const endAxis = negative ? end - shape.length : end;
        const flat = [...shape.slice(0, axis), size(shape.slice(axis, end + 1)), ...shape.slice(end + 1)];
        await assertAgrees(ops.flatten, [random(shape, seed)], { axis, endAxis }, ([x]) => [
          { data: x!.data, shape: flat },
        ]);
      },
    ));

  it('refuses a range that ends before it starts', async () => {
    await assert.rejects(ops.flatten([random([2, 3, 4], 1)], { axis: 2, endAxis: 1 }), {
      name: ShapeError.name,
      message: /axis at or before endAxis, got 2 and 1 for \(2, 3, 4\)/,
    });
  });

  describeCaffe(ops.flatten, { flatten: {} });
});

describe('reshape', () => {
  const shapeOf = (shape: readonly number[], options: { dims: readonly number[]; axis?: number; numAxes?: number }) =>
    graph({ x: fixedInput(shape) }, ({ x }) => ({ y: reshape(x, options) })).outputs.y.shape;

  it('keeps extents at 0 and finds the one at -1', () =>
    forAll(
      shapes(1, 4).chain((shape) =>
        fc.tuple(
          fc.constant(shape),
          fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }),
          fc.nat(shape.length - 1),
          seeds,
        ),
      ),
      async ([shape, keep, free, seed]) => {
        const dims = shape.map((extent, i) => (i === free ? -1 : keep[i] ? 0 : extent));
        await assertAgrees(ops.reshape, [random(shape, seed)], { dims: [...dims, 1] }, ([x]) => [
          { data: x!.data, shape: [...shape, 1] },
        ]);
      },
    ));

  it('replaces a range of axes, counting a negative axis from one past the last', () => {
    assert.deepEqual(shapeOf([2, 3, 4], { dims: [1, 3], axis: 1, numAxes: 1 }), [2, 1, 3, 4]);
    assert.deepEqual(shapeOf([2, 3, 4], { dims: [1, 1], axis: -1 }), [2, 3, 4, 1, 1]);
    assert.deepEqual(shapeOf([2, 3, 4], { dims: [1], axis: 0, numAxes: 0 }), [1, 2, 3, 4]);
    assert.deepEqual(shapeOf([2, 3, 4], { dims: [-1], axis: -3 }), [2, 12]);
  });

  it('refuses dims that change the number of elements', () => {
    assert.throws(() => shapeOf([2, 3], { dims: [4, 2] }), {
      name: ShapeError.name,
      message: /keep the 6 elements of \(2, 3\), got \(4, 2\)/,
    });
    assert.throws(() => shapeOf([2, 3], { dims: [4, -1] }), { name: ShapeError.name, message: /keep the 6 elements/ });
    assert.throws(() => shapeOf([2, 3], { dims: [-1, -1] }), { name: ShapeError.name, message: /at most one -1/ });
    assert.throws(() => shapeOf([2, 3], { dims: [-2] }), {
      name: ShapeError.name,
      message: /whole numbers of at least -1/,
    });
    assert.throws(() => shapeOf([2, 3], { dims: [6, 1, 0] }), {
      name: ShapeError.name,
      message: /0 in dims to stand for an axis of \(2, 3\), got one at 2/,
    });
    assert.throws(() => shapeOf([2, 3], { dims: [1], axis: 1, numAxes: 2 }), {
      name: ShapeError.name,
      message: /numAxes between -1 and 1/,
    });
  });

  describeCaffe(ops.reshape, { reshape: { dims: [0, -1, 4] }, reshape_axis: { dims: [1, 3], axis: 1, numAxes: 1 } });
});

describe('views', () => {
  it('cost no step, forward or backward', () => {
    const net = graph({ x: fixedInput([2, 3, 4]) }, ({ x }) => ({
      y: stopGradient(flatten(reshape(split(x)[1]!, { dims: [4, -1] }))),
      z: flatten(x),
    }));
    const { program } = lower(net, {
      batch: 1,
      phase: 'test',
      fetch: [net.outputs.y],
      gradients: [net.inputs.x],
      seeds: [net.outputs.z],
    });
    assert.deepEqual(optimize(program, { passes: 'none', precision: 'float32' }).steps, []);
  });

  it('may be the inputs and results of a net', async () => {
    const net = graph({ x: fixedInput([2, 3]) }, ({ x }) => ({
      y: flatten(x, { axis: 0 }),
      twice: add(relu(flatten(x, { axis: 0 })), flatten(x, { axis: 0 })),
    }));
    using model = await compile(net);
    const x = random([2, 3], 1);
    const { y, twice } = await model.forward({ x });
    assert.deepEqual([y.shape, y.data], [[6], x.data]);
    assert.deepEqual(
      Array.from(twice.data),
      Array.from(x.data, (v) => Math.fround(Math.max(v, 0) + v)),
    );
  });
});

describe('stopGradient', () => {
  it('passes the value and no gradient', async () => {
    const net = graph({ x: fixedInput([3]) }, ({ x }) => ({ y: add(power(x, { power: 2 }), stopGradient(x)) }));
    using model = await compile(net);
    const x = Float32Array.of(1, 2, 3);
    const { outputs, gradients } = await model.backward(
      { x },
      { of: ['x'], from: { [net.outputs.y.name]: Float32Array.of(1, 1, 1) } },
    );
    assert.deepEqual(Array.from(outputs.y.data), [2, 6, 12]);
    assert.deepEqual(Array.from(gradients.x!.data), [2, 4, 6]);
  });
});

describe('parameter', () => {
  it('is a learnable tensor that other layers read', async () => {
    const net = graph({ x: input([2]) }, ({ x }, builder) => {
      const table = parameter(builder, { name: 'table', shape: [1, 2], filler: { type: 'constant', value: 3 } });
      return { y: add(x, table), sum: reduction(table), row: flatten(table, { axis: 0 }) };
    });
    using model = await compile(net);
    const { y, sum, row } = await model.forward({ x: [1, 2] });
    assert.deepEqual([Array.from(y.data), Array.from(sum.data), Array.from(row.data)], [[4, 5], [6], [3, 3]]);
    const { gradients } = await model.backward(
      { x: [1, 2] },
      { of: ['table.weight'], from: { [net.outputs.y.name]: [5, 7] } },
    );
    assert.deepEqual(Array.from(gradients['table.weight']!.data), [5, 7]);
  });
});

describe('silence', () => {
  it('shows in the graph and computes nothing', async () => {
    const net = graph({ x: input([2]) }, ({ x }) => {
      silence([dense(x, { units: 2 })], { name: 'quiet' });
      return { y: relu(x) };
    });
    assert.equal(net.nodes.at(-2)!.name, 'quiet');
    const { program } = lower(net, { batch: 1, phase: 'test', fetch: [net.outputs.y], gradients: [], seeds: [] });
    assert.deepEqual(
      program.steps.map((step) => step.kernel),
      ['relu'],
    );
  });
});
