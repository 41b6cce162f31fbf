import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { toTensor } from '../../lib/formats/elements.js';
import { openSafetensors, readSafetensors, writeSafetensors } from '../../lib/formats/safetensors.js';
import { original } from './support.js';

/** A file of this header before this many bytes. */
function file(header: unknown, body = 0): Uint8Array {
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, Buffer.alloc(body)]);
}

const entry = (more: object = {}): object => ({ dtype: 'F32', shape: [2], data_offsets: [0, 8], ...more });

describe('safetensors', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cortado-safetensors-'));
  after(() => rmSync(folder, { recursive: true }));

  it('come back as they were written, and nothing else lies beside them', async () => {
    const tensors = {
      scalar: { data: Float32Array.of(-0), shape: [] },
      bytes: { data: Uint8Array.of(1, 2, 255), shape: [3] },
      doubles: { data: Float64Array.of(Math.PI, -Infinity), shape: [2, 1] },
      'a/b#0': { data: new Float32Array([1, 2, 3, 4, 5, 6]).subarray(1, 5), shape: [2, 2] },
      whole: { data: Int32Array.of(-1), shape: [1, 1] },
      none: { data: new Float32Array(0), shape: [0, 4] },
    };
    const path = join(folder, 'x.safetensors');
    await writeSafetensors(path, { tensors, metadata: { said: 'ü "quoted"' } });
    const read = await readSafetensors(path);
    assert.deepEqual(read.metadata, { said: 'ü "quoted"' });
    assert.deepEqual(Object.keys(read.tensors).sort(), Object.keys(tensors).sort());
    for (const [name, { data, shape }] of Object.entries(tensors))
      assert.deepEqual(read.tensors[name], { data: data.slice(), shape });
    assert.deepEqual(readdirSync(folder), ['x.safetensors']);
  });

  it('are read in the layout of the format', async () => {
    const bytes = file({ w: entry(), __metadata__: { format: 'pt' } }, 8);
    new DataView(bytes.buffer, bytes.byteOffset).setFloat32(bytes.length - 8, 1.5, true);
    const { tensors, metadata } = await readSafetensors(bytes);
    assert.deepEqual(tensors, { w: { data: Float32Array.of(1.5, 0), shape: [2] } });
    assert.deepEqual(metadata, { format: 'pt' });
  });

  it('of every type that the original library wrote are read, and written to the same tensors', async () => {
    const path = join(folder, 'types.safetensors');
    await using source = await openSafetensors(original('types.safetensors'));
    await writeSafetensors(path, source);
    await using copy = await openSafetensors(path);
    assert.deepEqual(copy.metadata, { format: 'pt' });
    const last: Record<string, number> = {
      ...{ float64: -1e300, bool: 0, int64: -(2 ** 53) + 1, int32: -(2 ** 31), int16: -(2 ** 15), int8: -128 },
      ...{ uint64: 2 ** 53 - 1, uint32: 2 ** 32 - 1, uint16: 2 ** 16 - 1, uint8: 255, float32: Math.fround(0.1) },
    };
    for (const name of source.tensors.keys()) {
      const raw = await source.read(name);
      assert.deepEqual(await copy.read(name), raw);
      if (name.endsWith('.float32') || name === 'complex64') continue;
      assert.equal(raw.dtype, name);
      const { data } = toTensor(raw, name);
      if (name in last) assert.equal(data.at(-1), last[name], name);
      else assert.deepEqual([...data], [...toTensor(await source.read(`${name}.float32`), name).data], name);
    }
    assert.throws(() => toTensor({ dtype: 'complex64', shape: [1], bytes: new Uint8Array(8) }, 'z'), {
      code: 'FORMAT',
    });
  });

  it('are read tensor by tensor', async () => {
    const tensors = { a: { data: Float32Array.of(1, 2), shape: [2] }, b: { data: Uint8Array.of(3), shape: [] } };
    const path = join(folder, 'parts.safetensors');
    await writeSafetensors(path, { tensors, metadata: {} });
    await using file = await openSafetensors(path);
    assert.deepEqual([...file.tensors.keys()], ['a', 'b']);
    assert.deepEqual([...(await file.read('b')).bytes], [3]);
    truncateSync(path, statSync(path).size - 1);
    await assert.rejects(file.read('b'), { code: 'FORMAT', message: /cut short/ });
    await assert.rejects(file.read('c'), { code: 'USAGE', message: /"c"/ });
  });

  it('that cannot be are refused', async () => {
    const bad: [Uint8Array, RegExp][] = [
      [new Uint8Array(0), /header is not all there/],
      [file({ w: entry() }, 8).subarray(0, 20), /header is not all there/],
      [Buffer.from([255, 255, 255, 255, 255, 255, 255, 255, 123, 125]), /header is not all there/],
      [file([]), /JSON/],
      [file({ w: entry({ dtype: 'Q4' }) }, 8), /w: expected F64, F32, .*"Q4"/],
      [file({ w: entry({ shape: [-2] }) }, 8), /w: expected a shape/],
      [file({ w: entry({ shape: [2 ** 40, 2 ** 40] }) }, 8), /w: expected .* bytes/],
      [file({ w: entry() }, 4), /w: expected 8 bytes within 4/],
      [file({ w: entry({ data_offsets: [4, 12] }) }, 12), /begin at byte 0, got 4/],
      [file({ w: entry(), v: entry() }, 8), /begin at byte 8, got 0/],
      [file({ w: entry() }, 9), /expected 8 bytes of tensors, got 9/],
      [file({ __metadata__: { a: 1 } }), /metadata of texts/],
    ];
    for (const [bytes, message] of bad) await assert.rejects(readSafetensors(bytes), { code: 'FORMAT', message });
    await assert.rejects(readSafetensors(join(folder, 'none')), { code: 'FORMAT', message: /none/ });
  });

  it('with any damage give an error of ours or tensors', async () => {
    const tensors = {
      w: { data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] },
      b: { data: Uint8Array.of(7), shape: [1] },
    };
    const path = join(folder, 'good.safetensors');
    await writeSafetensors(path, { tensors, metadata: { a: 'b' } });
    const good = readFileSync(path);
    const damage = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(damage, fc.nat(good.length), async (changes, length) => {
        const bytes = Buffer.from(good.subarray(0, length));
        for (const [at, value] of changes) if (at < length) bytes[at] = value;
        await readSafetensors(bytes).catch((error: unknown) => assert.ok(error instanceof Error && 'code' in error));
      }),
      { numRuns: 500 },
    );
  });
});
