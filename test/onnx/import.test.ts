import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toTensor } from '../../lib/formats/elements.js';
import { openNpz } from '../../lib/formats/npz.js';
import { readOnnx } from '../../lib/onnx/index.js';
import { assertClose, magnitude } from '../support/compare.js';
import { python, pythonHas } from '../support/python.js';
import { answer, fixture, pattern } from './support.js';

interface Answers {
  readonly size: number;
  readonly y: readonly number[];
}

/** Fails unless a file that make_exports.py wrote answers as it did in PyTorch. @returns how far off, of the largest logit */
async function answersAsExported(file: string, { size, y }: Answers): Promise<number> {
  const { graph, weights, producer } = await readOnnx(file);
  assert.match(producer, /^pytorch 2/);
  const logits = await answer(graph, weights, pattern(2, 3, size, size));
  assert.deepEqual(logits.shape, [2, y.length / 2]);
  assertClose(logits.data, y, 'logits');
  assert.notDeepEqual(logits.data.subarray(0, y.length / 2), logits.data.subarray(y.length / 2));
  return magnitude(logits.data.map((v, i) => v - y[i]!)) / magnitude(y);
}

const MAKE_EXPORTS = fileURLToPath(new URL('make_exports.py', import.meta.url));
const EXPORTERS = ['torchscript', 'dynamo'] as const;
const answersIn = (path: string): Readonly<Record<string, Answers>> =>
  JSON.parse(readFileSync(path, 'utf8')) as Record<string, Answers>;

describe('ONNX files that PyTorch exported', () => {
  for (const [name, answers] of Object.entries(answersIn(fixture('answers.json'))))
    for (const exporter of EXPORTERS)
      it(`${name} (${exporter}) answers as in PyTorch`, async () => {
        await answersAsExported(fixture(`${name}-${exporter}.onnx`), answers);
      });

  // Two minutes and 1.7 GB: CORTADO_FULL_WIDTH=1 CORTADO_PYTHON=… npx mocha test/onnx/import.test.ts
  it('answer as in PyTorch at full width', async function () {
    if (process.env.CORTADO_FULL_WIDTH === undefined || !pythonHas('torch', 'onnx', 'onnxscript')) return this.skip();
    this.timeout(1_200_000);
    const folder = mkdtempSync(join(tmpdir(), 'cortado-exports-'));
    try {
      python('import runpy, sys; del sys.argv[0]; runpy.run_path(sys.argv[0])', [MAKE_EXPORTS, folder]);
      for (const [name, answers] of Object.entries(answersIn(join(folder, 'answers.json'))))
        for (const exporter of EXPORTERS) {
          const off = await answersAsExported(join(folder, `${name}-${exporter}.onnx`), answers);
          console.log(`      ${name} (${exporter}): off by ${off.toExponential(1)} of the largest logit`);
        }
    } finally {
      rmSync(folder, { recursive: true });
    }
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
