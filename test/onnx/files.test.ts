import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { openOnnx, readOnnx } from '../../lib/onnx/index.js';
import {
  AttributeProto,
  GraphProto,
  ModelProto,
  NodeProto,
  OperatorSetIdProto,
  StringStringEntryProto,
  TensorProto,
  ValueInfoProto,
  type OnnxNode,
  type OnnxTensor,
} from '../../lib/onnx/schema.js';
import { create } from '../../lib/protobuf/schema.js';
import { encodeMessage } from '../../lib/protobuf/wire.js';
import { answer, fixture } from './support.js';

type Dim = number | string;

function value(name: string, dims: readonly Dim[]) {
  const dim = dims.map((d) => (typeof d === 'number' ? { dim_value: d } : { dim_param: d }));
  return create(ValueInfoProto, { name, type: { tensor_type: { elem_type: 1, shape: { dim } } } });
}

function node(op_type: string, input: string[], output: string[], more: Partial<OnnxNode> = {}): OnnxNode {
  return create(NodeProto, { op_type, input, output, ...more });
}

const ints = (name: string, list: number[]) => create(AttributeProto, { name, ints: list, type: 7 });

function tensor(name: string, dims: number[], more: Partial<OnnxTensor>): OnnxTensor {
  return create(TensorProto, { name, dims, data_type: 1, ...more });
}

function model(
  nodes: OnnxNode[],
  options: { dims?: Dim[]; initializer?: OnnxTensor[]; opset?: number; outputs?: string[] } = {},
): Uint8Array {
  const { dims = ['N', 2], initializer = [], opset = 17, outputs = ['y'] } = options;
  const graph = create(GraphProto, {
    name: 'test',
    node: nodes,
    initializer,
    input: [value('x', dims)],
    output: outputs.map((name) => value(name, [])),
  });
  const opset_import = [create(OperatorSetIdProto, { domain: '', version: opset })];
  return encodeMessage(ModelProto, create(ModelProto, { ir_version: 8, graph, opset_import }));
}

describe('ONNX files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cortado-onnx-'));
  after(() => rmSync(folder, { recursive: true }));

  it('say all that is not supported at once, and where', async () => {
    const nodes = [
      node('Resize', ['x'], ['a'], { name: 'up' }),
      node('Relu', ['a'], ['b'], { name: 'behind' }),
      node('Transpose', ['x'], ['c'], { name: 'turn', attribute: [ints('perm', [1, 0])] }),
      node('Conv', ['x', 'x'], ['d'], { name: 'flat' }),
      node('Gelu', ['x'], ['y'], { name: 'own', domain: 'com.microsoft' }),
      node('Relu', ['nowhere'], ['f']),
    ];
    await assert.rejects(readOnnx(model(nodes)), (error: Error) => {
      assert.deepEqual(error.message.split('\n'), [
        'buffer: not supported:',
        '  node "up" (Resize): there is no such layer',
        '  node "turn" (Transpose): the order 1, 0 of (1, 2) moves elements, which is not supported',
        '  node "flat" (Conv): expected images (N, C, H, W), got (1, 2)',
        '  node "own" (Gelu): operators of com.microsoft are not supported',
      ]);
      return 'code' in error && error.code === 'GRAPH';
    });
    await assert.rejects(readOnnx(model([node('Relu', ['nowhere'], ['y'])])), /nothing makes its input "nowhere"/);
    await assert.rejects(readOnnx(model([node('Relu', ['x'], ['z'])])), /output "y": expected something computed/);
    for (const opset of [8, 23])
      await assert.rejects(readOnnx(model([], { opset })), { code: 'FORMAT', message: /version 9 to 22, got/ });
  });

  it('take the batch as it comes, and other open extents from the caller', async () => {
    const fixed = await readOnnx(model([node('Relu', ['x'], ['y'])], { dims: [3, 2] }));
    assert.equal(fixed.graph.batch, 3);
    const x = { data: Float32Array.of(-1, 1, 2, -2), shape: [2, 2] };
    assert.deepEqual([...(await answer(fixed.graph, {}, x)).data], [0, 1, 2, 0]);
    const open = model([node('Relu', ['x'], ['y'])], { dims: ['N', 'width'] });
    await assert.rejects(readOnnx(open), {
      code: 'GRAPH',
      message: /input "x": axis 1 \(width\) is open: give \{ shapes/,
    });
    assert.deepEqual((await readOnnx(open, { shapes: { x: [2] }, batch: 4 })).graph.inputs.x!.shape, [4, 2]);
  });

  it('read elements that lie beside them, in their folder only', async () => {
    const weight = (location: string, length = 16): OnnxTensor =>
      tensor('w', [2, 2], {
        data_location: 1,
        external_data: Object.entries({ location, offset: '4', length: String(length) }).map(([key, value]) =>
          create(StringStringEntryProto, { key, value }),
        ),
      });
    const path = join(folder, 'net.onnx');
    const write = (w: OnnxTensor): void =>
      writeFileSync(path, model([node('MatMul', ['x', 'w'], ['y'])], { initializer: [w] }));
    mkdirSync(join(folder, 'data'));
    writeFileSync(join(folder, 'data', 'w.bin'), Buffer.from(Float32Array.of(9, 1, 2, 3, 4).buffer));
    write(weight('data/w.bin'));
    const { graph, weights } = await readOnnx(path);
    const y = await answer(graph, weights, { data: Float32Array.of(1, 10), shape: [1, 2] });
    assert.deepEqual([...y.data], [31, 42]);
    await assert.rejects(readOnnx(readFileSync(path)), { code: 'FORMAT', message: /open the model by its path/ });
    for (const [w, message] of [
      [weight('../w.bin'), /in the model's folder, got \.\.\/w\.bin/],
      [weight('/etc/passwd'), /in the model's folder/],
      [weight('data/none.bin'), /none\.bin: cannot be read/],
      [weight('data/w.bin', 20), /expected 20 bytes at byte 4/],
      [weight('data/w.bin', 12), /expected 16 bytes for shape \(2, 2\), got 12/],
    ] as const) {
      write(w);
      await assert.rejects(readOnnx(path), { code: 'FORMAT', message });
    }
  });

  it('read elements that are listed one by one', async () => {
    const lists: [number, Partial<OnnxTensor>, readonly number[]][] = [
      [1, { float_data: [0.1, -2] }, [Math.fround(0.1), -2]],
      [11, { double_data: [0.1, -2] }, [0.1, -2]],
      [10, { int32_data: [0x3c00, 0xc000] }, [1, -2]],
      [16, { int32_data: [0x3f80, 0xc000] }, [1, -2]],
    ];
    for (const [data_type, more, expected] of lists) {
      const initializer = [tensor('w', [2], { data_type, ...more })];
      const { weights } = await readOnnx(model([node('Mul', ['x', 'w'], ['y'])], { initializer }));
      assert.deepEqual(
        Object.values(weights).map(({ data }) => [...data]),
        [expected],
      );
    }
  });

  it('that are none, or broken, are refused', async () => {
    const good = readFileSync(fixture('resnet18-dynamo.onnx'));
    for (const length of [0, 1, 100, 5000, good.length - 1])
      await assert.rejects(readOnnx(good.subarray(0, length)), { code: 'FORMAT' });
    await assert.rejects(readOnnx(Buffer.from('a text that is no model')), { code: 'FORMAT' });
    await assert.rejects(readOnnx(join(folder, 'none.onnx')), { code: 'FORMAT', message: /cannot be read/ });
    const odd = tensor('w', [2, 2], { raw_data: new Uint8Array(15) });
    await assert.rejects(readOnnx(model([], { initializer: [odd] })), { message: /"w": expected 16 bytes .* got 15/ });
    const huge = tensor('w', [2 ** 40, 2 ** 40], {});
    await assert.rejects(openOnnx(model([], { initializer: [huge] })), { code: 'FORMAT', message: /is no shape/ });
  });

  it('with any damage give an error of ours or a net', async () => {
    const good = readFileSync(fixture('alexnet-torchscript.onnx'));
    const head = fc.tuple(fc.nat(4000), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(head, { minLength: 1, maxLength: 6 }), async (changes) => {
        const bytes = Buffer.from(good);
        for (const [at, byte] of changes) bytes[at] = byte;
        await readOnnx(bytes).catch((error: unknown) =>
          assert.ok(error instanceof Error && 'code' in error, String(error)),
        );
      }),
      { numRuns: 200 },
    );
  });
});
