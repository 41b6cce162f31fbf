import assert from 'node:assert/strict';
import {
  conv2d,
  dense,
  fixedInput,
  graph,
  GraphError,
  input,
  relu,
  reshape,
  ShapeError,
  type Value,
} from '../../lib/index.js';

const images = { data: input([3, 9, 9]) };

describe('graphs', () => {
  it('know shapes and names as soon as they are built', () => {
    const net = graph(images, ({ data }) => ({
      y: dense(relu(conv2d(data, { filters: 4, kernel: 3, stride: 2 })), { name: 'fc', units: 5 }),
    }));
    assert.deepEqual(net.outputs.y.shape, [1, 5]);
    assert.deepEqual(net.value('conv2d1').shape, [1, 4, 4, 4]);
    assert.deepEqual(
      net.parameters.map((p) => p.name),
      ['conv2d1.weight', 'conv2d1.bias', 'fc.weight', 'fc.bias'],
    );
  });

  it('carry their names in their type', () => {
    const net = graph(images, ({ data }) => ({ y: relu(data) }));
    const inputs: 'data' = Object.keys(net.inputs)[0] as keyof typeof net.inputs;
    const outputs: 'y' = Object.keys(net.outputs)[0] as keyof typeof net.outputs;
    assert.equal(inputs + outputs, 'datay');
  });

  it('are sized again for another batch', () => {
    const net = graph(images, ({ data }) => ({ y: conv2d(data, { filters: 4, kernel: 3 }) }));
    assert.deepEqual(net.at(7).shapes.get(net.outputs.y), [7, 4, 7, 7]);
    assert.deepEqual(net.outputs.y.shape, [1, 4, 7, 7]);
  });

  it('name the layer, the rule and both shapes when something does not fit', () => {
    const build = (options: Parameters<typeof conv2d>[1]) => () =>
      graph(images, ({ data }) => ({ y: conv2d(data, options) }));
    assert.throws(build({ name: 'c', filters: 4, kernel: 3, groups: 2 }), {
      code: 'SHAPE',
      message: 'c: expected channels divisible by groups 2, got 3',
    });
    assert.throws(build({ name: 'c', filters: 4, kernel: 12 }), {
      code: 'SHAPE',
      message: /^c: expected a kernel of at most 9x9 for input \(1, 3, 9, 9\), got 12x12/,
    });
    assert.throws(build({ name: 'c', filters: 0, kernel: 3 }), ShapeError);
    assert.throws(build({ name: 'c', filters: 4, kernel: 3, stride: 0 }), /stride .* at least 1, got 0/);
    assert.throws(build({ name: 'c', filters: 4, kernel: 3, params: { gamma: {} } }), {
      code: 'GRAPH',
      message: 'c: expected params among weight, bias, got "gamma"',
    });
  });

  it('refuse doubled and empty names and values of other graphs', () => {
    const other = graph(images, ({ data }) => ({ y: relu(data) }));
    assert.throws(
      () => graph(images, ({ data }) => ({ y: relu(relu(data, { name: 'r' }), { name: 'r' }) })),
      /second layer called "r"/,
    );
    assert.throws(() => graph(images, ({ data }) => ({ y: relu(data, { name: '' }) })), GraphError);
    assert.throws(() => graph(images, () => ({ y: other.outputs.y })), /to be a value of this graph/);
  });

  it('refuse with a typed error what only plain JavaScript could hand in', () => {
    const untyped = (build: (data: Value) => Value) => () => graph(images, ({ data }) => ({ y: build(data) }));
    const nothing = undefined as never;
    assert.throws(
      untyped(() => relu(nothing)),
      GraphError,
    );
    assert.throws(
      untyped((x) => conv2d(x, nothing)),
      { code: 'USAGE', message: /^conv2d: expected options, got undefined/ },
    );
    assert.throws(
      untyped((x) => conv2d(x, { filters: 4 } as never)),
      { code: 'SHAPE', message: /kernel .* got undefined/ },
    );
    assert.throws(
      untyped((x) => conv2d(x, { filters: 4, kernel: '3' as never })),
      ShapeError,
    );
    assert.throws(
      untyped((x) => reshape(x, {} as never)),
      { code: 'SHAPE', message: /dims/ },
    );
  });

  it('draw outputs that are inputs or parameters', () => {
    const net = graph({ x: input([6]) }, ({ x }) => {
      const y = dense(x, { name: 'fc', units: 3 });
      return { x, weight: y.builder.values.find((v) => v.name === 'fc.weight')! };
    });
    const dot = net.toDot();
    assert.match(dot, /"input x" -> "output x"/);
    assert.match(dot, /"parameter fc.weight" -> "output weight"/);
    assert.doesNotMatch(dot, /undefined/);
  });

  it('share a parameter between layers when the shapes agree', () => {
    const net = graph({ a: input([4]), b: input([4]) }, ({ a, b }) => {
      const first = dense(a, { name: 'one', units: 3 });
      const weight = first.builder.values.find((v) => v.name === 'one.weight')!;
      return { first, second: dense(b, { name: 'two', units: 3, bias: false, params: { weight: { share: weight } } }) };
    });
    assert.deepEqual(
      net.parameters.map((p) => p.name),
      ['one.weight', 'one.bias'],
    );
    const mismatch = () =>
      graph({ a: input([4]), b: fixedInput([5, 5]) }, ({ a, b }) => ({
        y: dense(a, { name: 'fc', units: 3, params: { weight: { share: b } } }),
      }));
    assert.throws(mismatch, { message: 'fc: expected a shared weight of shape (3, 4), got b of shape (5, 5)' });
  });

  it('refuse shapes that no machine could hold', () => {
    assert.throws(
      () => graph({ x: input([2 ** 20, 2 ** 20]) }, ({ x }) => ({ y: relu(x) })),
      /at most 8589934592 elements/,
    );
    assert.throws(() => graph({ x: input([0]) }, ({ x }) => ({ y: relu(x) })), ShapeError);
    assert.throws(() => graph({ x: input([1.5]) }, ({ x }) => ({ y: relu(x) })), ShapeError);
  });
});
