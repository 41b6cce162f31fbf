import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inMemory, openTensors, readWeights, writeTensors, writeTorch } from '../../lib/formats/index.js';
import { alexnetOwt, compile, squeezenet, type Tensor } from '../../lib/index.js';
import { assertClose } from '../support/compare.js';
import { noise } from '../support/nets.js';
import { python, pythonHas } from '../support/python.js';
import { original } from './support.js';

type Shapes = Readonly<Record<string, readonly number[]>>;
const torchvision = JSON.parse(readFileSync(original('names.json'), 'utf8')) as Record<string, Shapes>;

const zeros = (shapes: Shapes, prefix = ''): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [
      prefix + name,
      { data: new Float32Array(shape.reduce((a, b) => a * b, 1)), shape },
    ]),
  );

describe('weights of PyTorch', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cortado-weights-'));
  after(() => rmSync(folder, { recursive: true }));

  it("by torchvision's names fit alexnetOwt() and squeezenet()", async () => {
    for (const [graph, shapes] of [
      [alexnetOwt(), torchvision.alexnet!],
      [squeezenet(), torchvision.squeezenet!],
    ] as const) {
      const weights = await readWeights(graph, inMemory(zeros(shapes)));
      assert.deepEqual(Object.keys(weights).sort(), graph.parameters.map(({ name }) => name).sort());
      assert.equal(Object.keys(weights).length, Object.keys(shapes).length);
    }
  });

  it('are found in checkpoints, and refused when some are missing, doubled or of other shapes', async () => {
    const graph = squeezenet({ classes: 3 });
    const shapes: Shapes = {
      ...torchvision.squeezenet!,
      'classifier.1.weight': [3, 512, 1, 1],
      'classifier.1.bias': [3],
    };
    const path = join(folder, 'x.pth');
    await writeTorch(path, { tensors: zeros(shapes, 'state_dict.module.') });
    assert.equal(Object.keys(await readWeights(graph, path)).length, graph.parameters.length);
    const { 'features.0.bias': _, ...short } = shapes;
    await assert.rejects(readWeights(graph, inMemory(zeros(short))), {
      code: 'FORMAT',
      message: /parameters of SqueezeNet, got none called conv1\.bias/,
    });
    await assert.rejects(readWeights(graph, inMemory({ ...zeros(shapes, 'a.'), ...zeros(shapes, 'b.') })), {
      message: /expected one features\.0\.weight, got a\.features\.0\.weight, b\.features\.0\.weight/,
    });
    await assert.rejects(readWeights(graph, inMemory(zeros(torchvision.squeezenet!))), {
      code: 'SHAPE',
      message: /classifier\.1\.weight: expected shape \(3, 512, 1, 1\), got \(1000, 512, 1, 1\)/,
    });
  });

  it('make the same answers as in PyTorch', async function () {
    if (!pythonHas('torch')) return this.skip();
    const path = join(folder, 'squeezenet.pth');
    python(
      `import sys, torch
sys.path.insert(0, ${JSON.stringify(import.meta.dirname)}); sys.dont_write_bytecode = True
from networks import squeezenet
torch.manual_seed(1)
net = squeezenet(classes=20).eval()
torch.save(net.state_dict(), ${JSON.stringify(path)})
x = torch.linspace(-1, 1, 3 * 224 * 224).sin().reshape(1, 3, 224, 224)
torch.save({'x': x, 'y': torch.softmax(net(x), 1)}, ${JSON.stringify(join(folder, 'answer.pth'))})`,
    );
    const graph = squeezenet({ form: 'torchvision', classes: 20 });
    await using model = await compile(graph);
    await model.load(await readWeights(graph, path));
    await using answer = await openTensors(join(folder, 'answer.pth'));
    const [x, y] = await Promise.all(['x', 'y'].map(async (name) => (await answer.read(name)).bytes));
    const { prob } = await model.forward({ data: new Float32Array(x!.buffer, x!.byteOffset, x!.length / 4) });
    assertClose(prob.data, new Float32Array(y!.buffer, y!.byteOffset, 20), 'prob');
  });

  it('of any format are opened and written by the ending of their name', async () => {
    const tensors = {
      'conv.weight': noise([2, 3]),
      half: { dtype: 'float16', shape: [1], bytes: new Uint8Array(2) },
    } as const;
    for (const ending of ['safetensors', 'npz', 'pth', 'pt']) {
      const path = join(folder, `any.${ending}`);
      await writeTensors(path, inMemory(tensors));
      await using file = await openTensors(path);
      assert.deepEqual(new Set(file.tensors.keys()), new Set(Object.keys(tensors)));
    }
    await assert.rejects(openTensors('x.bin'), { code: 'FORMAT', message: /\.safetensors, \.npz, \.pth, \.pt/ });
    await assert.rejects(writeTensors('x.bin', inMemory({})), { code: 'USAGE' });
  });
});
