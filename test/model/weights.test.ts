/** Parameters go in and out whatever the net is, and passes never change what it answers. */
import assert from 'node:assert/strict';
import { compile, conv2d, dense, flatten, graph, input, relu, reshape } from '../../lib/index.js';
import { assertClose } from '../support/compare.js';
import { noise } from '../support/nets.js';

describe('a model', () => {
  it('gives and takes its weights where a layer fixes the batch', async () => {
    const net = graph(
      { x: input([6]) },
      ({ x }) => ({ y: dense(reshape(x, { dims: [4, 3] }), { name: 'fc', units: 2 }) }),
      { batch: 2 },
    );
    await using model = await compile(net);
    await model.load({ 'fc.bias': [1, 2] });
    const weights = await model.weights();
    assert.deepEqual(Object.keys(weights), ['fc.weight', 'fc.bias']);
    assert.deepEqual(weights['fc.weight']!.shape, [2, 3]);
    assert.deepEqual([...weights['fc.bias']!.data], [1, 2]);
  });

  it('begins with weights that are given, and draws the others as it would have', async () => {
    const net = graph({ x: input([3]) }, ({ x }) => {
      return { y: dense(dense(x, { name: 'a', units: 4 }), { name: 'b', units: 2 }) };
    });
    await using drawn = await compile(net, { seed: 3 });
    const given = noise([4, 3]);
    await using model = await compile(net, { seed: 3, weights: { 'a.weight': given } });
    assert.deepEqual(await model.weights(), { ...(await drawn.weights()), 'a.weight': given });
    await model.initialize();
    assert.deepEqual(await model.weights(), await drawn.weights());
    await assert.rejects(compile(net, { weights: { 'c.weight': given } }), { code: 'GRAPH' });
    await assert.rejects(compile(net, { weights: { 'b.weight': given } }), { code: 'SHAPE' });
    await assert.rejects(compile(net, { weightsOf: model, weights: {} }), { code: 'USAGE' });
  });

  it('runs a ReLU that sees a convolution under another shape', async () => {
    const net = graph({ x: input([3, 6, 6]) }, ({ x }) => ({
      y: relu(flatten(conv2d(x, { name: 'conv', filters: 4, kernel: 3 }))),
    }));
    const x = noise([2, 3, 6, 6]);
    await using fused = await compile(net, { batch: 2 });
    await using plain = await compile(net, { batch: 2, passes: 'none' });
    const [{ y }, want] = [await fused.forward({ x }), await plain.forward({ x })];
    assert.deepEqual(y.shape, [2, 64]);
    assertClose(y.data, Float64Array.from(want.y.data), 'y');
  });
});
