import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCaffemodel } from '../../lib/caffe/index.js';
import { openTensors, readSafetensors, writeSafetensors, writeTorch } from '../../lib/formats/index.js';
import { compile, lenet, squeezenet } from '../../lib/index.js';
import { writeNpy } from '../../lib/npy.js';
import { readOnnx } from '../../lib/onnx/index.js';
import { inProcess } from '../support/in-process.js';
import { noise } from '../support/nets.js';

describe('cortado convert', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cortado-convert-'));
  const at = (name: string): string => join(folder, name);
  after(() => rmSync(folder, { recursive: true }));

  it('writes the same tensors in another format', async () => {
    const tensors = { 'fc.weight': noise([2, 3]), 'fc.bias': noise([2]) };
    await writeTorch(at('a.pth'), { tensors });
    for (const [from, to] of [
      ['a.pth', 'b.npz'],
      ['b.npz', 'c.caffemodel'],
      ['c.caffemodel', 'e.onnx'],
      ['e.onnx', 'f.safetensors'],
    ]) {
      const { code, stdout, stderr } = await inProcess(['convert', at(from!), at(to!)]);
      assert.deepEqual([code, stdout, stderr], [0, `2 tensors in ${at(to!)}\n`, '']);
    }
    assert.deepEqual((await readSafetensors(at('f.safetensors'))).tensors, tensors);
    const json = await inProcess(['convert', at('a.pth'), at('g.npz'), '--json']);
    assert.deepEqual(JSON.parse(json.stdout), { from: at('a.pth'), to: at('g.npz'), tensors: 2 });
  });

  it('turns small floats into float32 when asked to', async () => {
    const half = { dtype: 'float16', shape: [2, 1], bytes: Uint8Array.of(0, 0x3c, 0, 0xc0) } as const;
    await writeSafetensors(at('half.safetensors'), { tensors: { 'fc.weight': half }, metadata: {} });
    const refused = await inProcess(['convert', at('half.safetensors'), at('half.caffemodel')]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /fc\.weight: a caffemodel holds float32, got float16/);
    assert.ok(!existsSync(at('half.caffemodel')));
    assert.equal((await inProcess(['convert', at('half.safetensors'), at('half.caffemodel'), '--float32'])).code, 0);
    assert.deepEqual([...(await readCaffemodel(at('half.caffemodel'))).layers[0]!.blobs[0]!.data], [1, -2]);
  });

  it('makes a whole net of weights and a model', async () => {
    await using model = await compile(lenet());
    const weights = await model.weights();
    await writeSafetensors(at('lenet.safetensors'), { tensors: weights, metadata: {} });
    for (const to of ['lenet.onnx', 'lenet.caffemodel', 'lenet.npz']) {
      const { code } = await inProcess(['convert', at('lenet.safetensors'), at(to), '--model', 'lenet']);
      assert.equal(code, 0, to);
    }
    const net = await readOnnx(at('lenet.onnx'));
    assert.deepEqual(net.weights, weights);
    assert.deepEqual(Object.keys(net.graph.outputs), ['prob']);
    const { layers } = await readCaffemodel(at('lenet.caffemodel'));
    assert.equal(layers.find(({ name }) => name === 'conv1')?.type, 'Convolution');
  });

  it("gives torchvision's weights our names", async () => {
    const graph = squeezenet();
    const shapes = Object.fromEntries(graph.parameters.map(({ name, shape }) => [name, shape]));
    const renamed = { 'conv1.weight': 'features.0.weight', 'fire9/expand3x3.bias': 'features.12.expand3x3.bias' };
    const tensors = Object.fromEntries(
      Object.entries(shapes).map(([name, shape]) => [renamed[name as keyof typeof renamed] ?? name, noise(shape)]),
    );
    await writeTorch(at('torch.pth'), { tensors });
    const { code } = await inProcess(['convert', at('torch.pth'), at('ours.safetensors'), '--model', 'squeezenet']);
    assert.equal(code, 0);
    await using file = await openTensors(at('ours.safetensors'));
    assert.deepEqual([...file.tensors.keys()].sort(), Object.keys(shapes).sort());
  });

  it('says which endings there are', async () => {
    const { code, stderr } = await inProcess(['convert', 'a.bin', 'b.npz']);
    assert.equal(code, 2);
    assert.match(stderr, /<from>: expected a name that ends in \.safetensors, .*\.onnx, got "a\.bin"/);
    assert.equal((await inProcess(['convert', at('none.npz'), at('x.npz')])).code, 1);
  });
});

describe('cortado inspect', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cortado-inspect-'));
  after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'x.safetensors');
  const tensors = {
    w: { data: Float32Array.of(1, 2, NaN, 6, -Infinity), shape: [5] },
    n: { data: Int32Array.of(-3), shape: [] },
    z: { dtype: 'complex64', shape: [2], bytes: new Uint8Array(16) },
  } as const;

  before(() => writeSafetensors(path, { tensors, metadata: { made: 'here' } }));

  it('prints a table', async () => {
    const { code, stdout, stderr } = await inProcess(['inspect', path]);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^made: here\ntensor +type +shape +elements +min +max +mean +std +not finite\n/);
    assert.match(stdout, /^w +float32 +\(5\) +5 +1 +6 +3 +2\.1602 +2$/m);
    assert.match(stdout, /^z +complex64 +\(2\) +2 +- +- +- +- +-$/m);
    assert.match(stdout, /^total \(3\) +8$/m);
  });

  it('tells the same as JSON', async () => {
    const { stdout } = await inProcess(['inspect', path, '--json']);
    const told = JSON.parse(stdout) as {
      tensors: { name: string }[];
      elements: number;
      bytes: number;
      metadata: object;
    };
    assert.deepEqual([told.elements, told.bytes, told.metadata], [8, 40, { made: 'here' }]);
    const { std, ...w } = told.tensors.find(({ name }) => name === 'w') as unknown as { std: number };
    assert.deepEqual(w, { name: 'w', dtype: 'float32', shape: [5], bytes: 20, min: 1, max: 6, mean: 3, nonFinite: 2 });
    assert.ok(Math.abs(std - Math.sqrt(14 / 3)) < 1e-12);
  });

  it('takes .npy files too, and refuses others', async () => {
    const npy = join(folder, 'x.npy');
    await writeNpy(npy, { data: Float32Array.of(1, 3), shape: [2] });
    assert.match((await inProcess(['inspect', npy])).stdout, /float32 +\(2\) +2 +1 +3 +2 +1 +0/);
    const { code, stderr } = await inProcess(['inspect', 'x.txt']);
    assert.equal(code, 1);
    assert.match(stderr, /x\.txt: expected a name that ends in/);
  });
});
