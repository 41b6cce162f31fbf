import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { toTensor } from '../../lib/formats/elements.js';
import { openNpz, writeNpz } from '../../lib/formats/npz.js';
import { readAll, type Tensors } from '../../lib/formats/tensors.js';
import { readNpy } from '../../lib/npy.js';
import { original } from './support.js';

const numbers = JSON.parse(readFileSync(original('arrays.json'), 'utf8')) as Record<string, string[]>;
const parsed = (texts: readonly string[]): number[] =>
  texts.map((text) => Number(text.replace('inf', 'Infinity').replace('nan', 'NaN')));

describe('.npz files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cortado-npz-'));
  after(() => rmSync(folder, { recursive: true }));

  for (const file of ['stored.npz', 'deflated.npz'])
    it(`that NumPy wrote are read: ${file}`, async () => {
      await using npz = await openNpz(original(file));
      assert.equal(npz.tensors.size, 20);
      for (const [name, values] of Object.entries(numbers)) {
        const raw = await npz.read(name);
        assert.deepEqual([...toTensor(raw, name).data], parsed(values), name);
        assert.deepEqual({ dtype: raw.dtype, shape: raw.shape }, pick(npz.tensors.get(name)!));
      }
      assert.equal((await npz.read('float16')).dtype, 'float16');
      assert.deepEqual((await npz.read('fortran')).shape, [2, 3, 4]);
      const complex = await npz.read('fortran16');
      assert.deepEqual(
        [...new Float64Array(complex.bytes.buffer, complex.bytes.byteOffset)],
        [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5],
      );
      await assert.rejects(readAll(npz), {
        code: 'FORMAT',
        message: /complex64: expected real numbers, got complex64/,
      });
      await assert.rejects(npz.read('none'), { code: 'USAGE', message: /one of 20 tensors, got "none"/ });
    });

  it('hold .npy files of version 3 as well', async () => {
    assert.deepEqual([...(await readNpy(original('version3.npy'))).data], parsed(numbers.float16!));
  });

  it('come back as they were written, stored and deflated, to the same bytes', async () => {
    const tensors: Tensors = {
      'conv1.weight': { data: Float32Array.from({ length: 5000 }, (_, i) => i % 7), shape: [50, 100] },
      half: { dtype: 'float16', shape: [2], bytes: Uint8Array.of(1, 2, 3, 4) },
      scalar: { data: Int32Array.of(-7), shape: [] },
      none: { data: new Float64Array(0), shape: [3, 0] },
    };
    const path = join(folder, 'x.npz');
    for (const compress of [false, true]) {
      await writeNpz(path, { tensors }, { compress });
      await using npz = await openNpz(path);
      assert.deepEqual([...npz.tensors.keys()], Object.keys(tensors));
      assert.deepEqual([...(await npz.read('half')).bytes], [1, 2, 3, 4]);
      const { half: _, ...rest } = tensors;
      for (const [name, tensor] of Object.entries(rest)) assert.deepEqual(toTensor(await npz.read(name), name), tensor);
      const first = readFileSync(path);
      await writeNpz(path, npz, { compress });
      assert.deepEqual(readFileSync(path), first);
      assert.equal(first.length < 5000, compress);
    }
  });

  it('refuse what NumPy cannot hold, or a zip archive cannot name', async () => {
    const path = join(folder, 'y.npz');
    const bfloat = { dtype: 'bfloat16', shape: [1], bytes: new Uint8Array(2) } as const;
    await assert.rejects(writeNpz(path, { tensors: { w: bfloat } }), { code: 'USAGE', message: /^w: .*bfloat16/ });
    await assert.rejects(writeNpz(path, { tensors: { '../w': { data: new Float32Array(1), shape: [] } } }), {
      code: 'USAGE',
    });
  });

  it('that are damaged are refused', async () => {
    const bytes = readFileSync(original('stored.npz'));
    await assert.rejects(openNpz(Buffer.from('PK no archive')), { code: 'FORMAT', message: /not a readable zip/ });
    await assert.rejects(openNpz(bytes.subarray(0, 3000)), { code: 'FORMAT' });
    const at = bytes.indexOf(Buffer.from(new Float64Array([0.1]).buffer));
    bytes[at] = bytes[at]! ^ 1;
    await using npz = await openNpz(bytes);
    await assert.rejects(npz.read('float64'), { code: 'FORMAT', message: /float64\.npy: damaged: its checksum/ });
  });

  it('with any damage give an error of ours or arrays', async () => {
    const good = readFileSync(original('deflated.npz'));
    const damage = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(damage, fc.integer({ min: good.length - 200, max: good.length }), async (changes, length) => {
        const bytes = Buffer.from(good.subarray(0, length));
        for (const [at, value] of changes) if (at < length) bytes[at] = value;
        try {
          await using npz = await openNpz(bytes);
          for (const name of npz.tensors.keys()) await npz.read(name);
        } catch (error) {
          assert.ok(error instanceof Error && 'code' in error && error.code === 'FORMAT', String(error));
        }
      }),
      { numRuns: 100 },
    );
  });
});

function pick({ dtype, shape }: { dtype: string; shape: readonly number[] }): object {
  return { dtype, shape };
}
