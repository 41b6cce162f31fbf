import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { byteLength, ELEMENT_TYPES, type ElementType, type RawTensor } from '../../lib/formats/elements.js';
import { inMemory, openTensors, writeTensors } from '../../lib/formats/index.js';

/** Bytes of any pattern: NaNs with a payload, infinities, -0 and subnormal numbers among them. */
function raw(dtype: ElementType, shape: readonly number[], seed: number): RawTensor {
  const bytes = new Uint8Array(byteLength({ dtype, shape }));
  const odd = [0x7fc0_1234, 0xff80_0000, 0x8000_0000, 0x0000_0001, 0x7fa0_0001];
  for (let i = 0, state = seed; i < bytes.length; i++)
    bytes[i] = (state = (state * 1103515245 + 12345) & 0x7fffffff) >> 16;
  if (dtype === 'float32') new Uint32Array(bytes.buffer).set(odd.slice(0, Math.min(odd.length, bytes.length / 4)));
  if (dtype === 'bool') bytes.forEach((byte, i) => (bytes[i] = byte & 1));
  return { dtype, shape, bytes };
}

const FLOATS: Readonly<Record<string, RawTensor>> = {
  'conv1.weight': raw('float32', [4, 3, 2, 2], 1),
  'conv1.bias': raw('float32', [4], 2),
  'block/a.fc.weight': raw('float32', [5, 7], 3),
  'block/a.fc.bias': raw('float32', [5], 4),
  'bn.mean': raw('float32', [4], 5),
  'bn.variance': raw('float32', [4], 6),
  'bn.factor': raw('float32', [1], 7),
};

const ENDINGS = ['safetensors', 'npz', 'pth', 'caffemodel', 'caffemodel.h5', 'onnx'];
/** Formats that hold more than float32, and what they lack. */
const LACKS: Readonly<Record<string, (dtype: ElementType) => boolean>> = {
  safetensors: (dtype) => dtype === 'complex128',
  npz: (dtype) => /^bfloat|^float8/.test(dtype),
  pth: () => false,
  onnx: () => false,
};

describe('tensors', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cortado-round-'));
  after(() => rmSync(folder, { recursive: true }));
  let files = 0;
  const fresh = (ending: string): string => join(folder, `${files++}.${ending}`);

  async function check(path: string, expected: Readonly<Record<string, RawTensor>>): Promise<void> {
    await using file = await openTensors(path);
    assert.deepEqual([...file.tensors.keys()].sort(), Object.keys(expected).sort(), path);
    for (const [name, tensor] of Object.entries(expected)) {
      const { dtype, shape, bytes } = await file.read(name);
      assert.deepEqual([dtype, shape], [tensor.dtype, tensor.shape], `${path}: ${name}`);
      assert.ok(Buffer.from(bytes).equals(tensor.bytes), `${path}: ${name}`);
    }
  }

  for (const from of ENDINGS)
    it(`keep every bit from .${from} to every format`, async function () {
      // HDF5 starts a thread for every file.
      this.timeout(600_000);
      const first = fresh(from);
      await writeTensors(first, inMemory(FLOATS));
      await using source = await openTensors(first);
      for (const to of ENDINGS) {
        const second = fresh(to);
        await writeTensors(second, source);
        await check(second, FLOATS);
        // HDF5 keeps the hour; the others make the same file of the same tensors in the same order.
        if (from === to && !from.endsWith('h5')) assert.ok(readFileSync(second).equals(readFileSync(first)), from);
      }
    });

  it('of every type keep every bit between the formats that have it', async () => {
    const all = Object.fromEntries(ELEMENT_TYPES.map((dtype, i) => [dtype, raw(dtype, [2, 3], i)]));
    const shapes = { scalar: raw('float16', [], 30), none: raw('int64', [0, 4], 31) };
    for (const [from, lacks] of Object.entries(LACKS))
      for (const [to, lacksToo] of Object.entries(LACKS)) {
        const kept = Object.entries(all).filter(([, { dtype }]) => !lacks(dtype) && !lacksToo(dtype));
        const tensors = { ...Object.fromEntries(kept), ...shapes };
        const [first, second] = [fresh(from), fresh(to)];
        await writeTensors(first, inMemory(tensors));
        await using source = await openTensors(first);
        await writeTensors(second, source);
        await check(second, tensors);
      }
  });

  it('that a format cannot hold are refused by name', async () => {
    const half = { 'fc.weight': raw('float16', [2, 2], 1) };
    const cases: [string, Readonly<Record<string, RawTensor>>, RegExp][] = [
      ['caffemodel', half, /^fc\.weight: a caffemodel holds float32, got float16/],
      ['caffemodel.h5', half, /^fc\.weight/],
      ['caffemodel', { alone: raw('float32', [1], 1) }, /^alone: expected a name that ends in weight, bias/],
      ['caffemodel', { 'a.2': raw('float32', [1], 1) }, /^a: expected all blobs up to 2, got 2/],
      ['npz', { w: raw('bfloat16', [1], 1) }, /^w: .*bfloat16/],
      ['safetensors', { w: raw('complex128', [1], 1) }, /^w: safetensors has no complex128/],
    ];
    for (const [ending, tensors, message] of cases)
      await assert.rejects(writeTensors(fresh(ending), inMemory(tensors)), { code: 'USAGE', message });
  });
});
