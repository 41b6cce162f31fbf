/** Arrays in shared memory and tensors of other libraries, as inputs and as weights. */
import assert from 'node:assert/strict';
import { Tensor as OnnxTensor } from 'onnxruntime-common';
import { compile, graph, input, relu, trained, type Feed } from '../../lib/index.js';

/** What TensorFlow.js calls a tensor, as far as others look at it: it has methods by the names of many ops. */
class TfTensor {
  reads = 0;
  constructor(
    readonly values: Float32Array | Int32Array | Uint8Array,
    readonly shape: number[],
  ) {}
  dataSync(): Float32Array | Int32Array | Uint8Array {
    this.reads++;
    return this.values;
  }
  mean(): never {
    throw new Error('never called');
  }
  scale(): never {
    throw new Error('never called');
  }
}

describe('inputs of other makes', () => {
  const net = graph({ data: input([2, 3]) }, ({ data }) => ({ y: relu(data) }));
  const numbers = [1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12];
  const expected = numbers.map((x) => Math.max(0, x));

  const answer = async (data: Feed): Promise<{ data: number[]; shape: readonly number[] }> => {
    using model = await compile(net, { batch: 4 });
    const { y } = await model.forward({ data });
    return { data: Array.from(y.data), shape: y.shape };
  };

  it('may lie in shared memory', async () => {
    const floats = new Float32Array(new SharedArrayBuffer(48));
    const doubles = new Float64Array(new SharedArrayBuffer(96));
    const integers = new Int32Array(new SharedArrayBuffer(48));
    for (const data of [floats, doubles, integers]) {
      data.set(numbers);
      assert.deepEqual(await answer(data), { data: expected, shape: [2, 2, 3] });
    }
  });

  it('may be tensors of onnxruntime, which takes results in return', async () => {
    const { data, shape } = await answer(new OnnxTensor('float32', Float32Array.from(numbers), [2, 2, 3]));
    assert.deepEqual({ data, shape }, { data: expected, shape: [2, 2, 3] });
    using model = await compile(net, { batch: 4 });
    const { y } = await model.forward({ data: new OnnxTensor('int32', Int32Array.from(numbers), [2, 2, 3]) });
    const back = new OnnxTensor('float32', y.data, y.shape);
    assert.equal(back.data, y.data);
  });

  it('may be tensors of TensorFlow.js, read once', async () => {
    const tensor = new TfTensor(Float32Array.from(numbers), [2, 2, 3]);
    assert.deepEqual((await answer(tensor)).data, expected);
    assert.equal(tensor.reads, 1);
    assert.deepEqual(
      (await answer(new TfTensor(Uint8Array.from([1, 0, 1, 0, 1, 0]), [1, 2, 3]))).data,
      [1, 0, 1, 0, 1, 0],
    );
  });

  it('may be weights', async () => {
    const { graph: small, weights } = await trained('cifar10-quick');
    using model = await compile(small);
    const { data, shape } = weights['conv1.bias']!;
    await model.load({ 'conv1.bias': new OnnxTensor('float32', data, shape) });
    assert.deepEqual((await model.weights())['conv1.bias']!.data, data);
  });

  it('are refused where their shapes or types do not fit', async () => {
    await assert.rejects(answer(new OnnxTensor('float32', new Float32Array(6), [1, 3, 2])), { code: 'SHAPE' });
    await assert.rejects(answer(new OnnxTensor('int64', new BigInt64Array(6), [1, 2, 3])), { code: 'USAGE' });
    await assert.rejects(answer(new OnnxTensor('string', ['a'], [1])), { code: 'USAGE' });
    await assert.rejects(answer(new TfTensor(new Float32Array(6), [1, 3, 2])), { code: 'SHAPE' });
  });
});
