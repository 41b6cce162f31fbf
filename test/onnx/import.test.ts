import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { toTensor } from '../../lib/formats/elements.js';
import { openNpz } from '../../lib/formats/npz.js';
import { readOnnx } from '../../lib/onnx/index.js';
import { assertClose } from '../support/compare.js';
import { answer, fixture, pattern } from './support.js';

const answers = JSON.parse(readFileSync(fixture('answers.json'), 'utf8')) as Record<
  string,
  { size: number; y: number[] }
>;

describe('ONNX files that PyTorch exported', () => {
  for (const [name, { size, y }] of Object.entries(answers))
    for (const exporter of ['torchscript', 'dynamo'])
      it(`${name} (${exporter}) answers as in PyTorch`, async () => {
        const { graph, weights, producer } = await readOnnx(fixture(`${name}-${exporter}.onnx`));
        assert.match(producer, /^pytorch 2/);
        const logits = await answer(graph, weights, pattern(2, 3, size, size));
        assert.deepEqual(logits.shape, [2, 10]);
        assertClose(logits.data, y, 'logits');
        assert.notDeepEqual([...logits.data.subarray(0, 10)], [...logits.data.subarray(10)]);
      });

  it('name layers after their weights', async () => {
    const { graph } = await readOnnx(fixture('alexnet-dynamo.onnx'));
    assert.deepEqual(graph.value('features.3.weight').shape, [6, 2, 5, 5]);
  });
});

describe('ONNX operators', () => {
  it('mean what they mean in ONNX Runtime, at any batch', async () => {
    await using cases = await openNpz(fixture('ops.npz'));
    const names = [...cases.tensors.keys()].filter((name) => name.endsWith('.onnx')).map((name) => name.slice(0, -5));
    assert.ok(names.length > 150);
    for (const name of names) {
      const [x, y] = await Promise.all(
        ['x', 'y'].map(async (part) => toTensor(await cases.read(`${name}.${part}`), name)),
      );
      const { graph, weights } = await readOnnx((await cases.read(`${name}.onnx`)).bytes).catch((error: unknown) => {
        throw new Error(`${name}: ${String(error)}`);
      });
      const got = await answer(graph, weights, x!);
      assert.deepEqual(got.shape, y!.shape, name);
      assertClose(got.data, y!.data, name);
    }
  });
});
