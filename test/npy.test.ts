import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { FormatError, UsageError } from '../lib/errors.js';
import { decodeNpy, encodeNpy, readNpy, writeNpy } from '../lib/npy.js';
import type { TensorData } from '../lib/tensor.js';
import { fixtures } from './support/fixtures.js';

/** A file as NumPy lays it out. */
function file(header: string, body: Uint8Array, version = 1): Uint8Array {
  const text = Buffer.from(`${header}\n`, 'latin1');
  const prefix = Buffer.alloc(version === 1 ? 10 : 12);
  prefix.write('\x93NUMPY', 'latin1');
  prefix[6] = version;
  if (version === 1) prefix.writeUInt16LE(text.length, 8);
  else prefix.writeUInt32LE(text.length, 8);
  return Buffer.concat([prefix, text, body]);
}

function header(descr: string, shape: string, fortran = 'False'): string {
  return `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': (${shape}), }`;
}

describe('.npy files', () => {
  it('come back as they were written', () => {
    const shapes = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 5 });
    const kinds = fc.constantFrom(Float32Array, Float64Array, Int32Array, Uint8Array);
    fc.assert(
      fc.property(shapes, kinds, fc.integer(), (shape, Kind, seed) => {
        const length = shape.reduce((product, extent) => product * extent, 1);
        const data: TensorData = new Kind(length);
        for (let i = 0; i < length; i++) data[i] = ((i + 1) * seed) % 251;
        const bytes = encodeNpy({ data, shape });
        assert.deepEqual(decodeNpy(bytes), { data, shape });
        assert.equal((bytes.length - data.byteLength) % 64, 0);
      }),
    );
  });

  it('are read in either byte order, any version, and from odd addresses', () => {
    const body = Buffer.alloc(8);
    body.writeFloatBE(1.5, 0);
    body.writeFloatBE(-2, 4);
    for (const version of [1, 2, 3]) {
      const bytes = file(header('>f4', '2,'), body, version);
      const shifted = new Uint8Array(bytes.length + 1);
      shifted.set(bytes, 1);
      const { data, shape } = decodeNpy(shifted.subarray(1));
      assert.deepEqual([...data], [1.5, -2]);
      assert.deepEqual(shape, [2]);
    }
  });

  it('are turned from Fortran to C order', () => {
    // Columns first: NumPy's order='F' of [[0, 1, 2], [3, 4, 5]].
    const body = Uint8Array.of(0, 3, 1, 4, 2, 5);
    assert.deepEqual([...decodeNpy(file(header('|u1', '2, 3', 'True'), body)).data], [0, 1, 2, 3, 4, 5]);
  });

  it('give int64 and bool as numbers, refusing what a number cannot hold', () => {
    const body = Buffer.alloc(8);
    body.writeBigInt64LE(-(2n ** 53n) + 1n);
    assert.deepEqual([...decodeNpy(file(header('<i8', ''), body)).data], [-(2 ** 53) + 1]);
    body.writeBigInt64LE(2n ** 53n);
    assert.throws(() => decodeNpy(file(header('<i8', '1,'), body), 'x.npy'), /x\.npy: element 0 is beyond/);
    assert.deepEqual([...decodeNpy(file(header('|b1', '2,'), Uint8Array.of(1, 0))).data], [1, 0]);
  });

  it('are refused when they are not what they say', () => {
    const good = encodeNpy({ data: Float32Array.of(1, 2, 3), shape: [3] });
    const bad: Record<string, Uint8Array> = {
      empty: new Uint8Array(),
      magic: Buffer.from('not a numpy file at all'),
      version: file(header('<f4', '0,'), new Uint8Array(), 9),
      'cut in the header': good.subarray(0, 40),
      'cut in the data': good.subarray(0, good.length - 1),
      'data behind the end': Buffer.concat([good, Buffer.alloc(1)]),
      'no shape': file(`{'descr': '<f4', 'fortran_order': False}`, new Uint8Array()),
      'negative extent': file(header('<f4', '-1,'), new Uint8Array()),
      'huge product': file(header('<f4', '99999999999, 99999999999, 99999999999'), new Uint8Array()),
      'too many axes': file(header('<f4', '1, '.repeat(40)), Buffer.alloc(4)),
      complex: file(header('<c8', '1,'), Buffer.alloc(8)),
      objects: file(header('|O', '1,'), Buffer.alloc(8)),
    };
    for (const [name, bytes] of Object.entries(bad)) {
      assert.throws(
        () => decodeNpy(bytes, name),
        (error: Error) => error instanceof FormatError && error.message.startsWith(name),
      );
    }
    assert.throws(() => encodeNpy({ data: new Float32Array(2), shape: [3] }), UsageError);
  });

  it('never crash on random bytes', () => {
    const start = encodeNpy({ data: new Float32Array(4), shape: [2, 2] });
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(start.length - 1), fc.nat(255)), { maxLength: 8 }), (changes) => {
        const bytes = Uint8Array.from(start);
        for (const [at, value] of changes) bytes[at] = value;
        try {
          decodeNpy(bytes);
        } catch (error) {
          assert(error instanceof FormatError);
        }
      }),
    );
  });

  it('are written to and read from disk', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cortado-npy-'));
    try {
      const tensor = { data: Float32Array.of(1, 2), shape: [1, 2] };
      await writeNpy(join(folder, 'x.npy'), tensor);
      assert.deepEqual(await readNpy(join(folder, 'x.npy')), tensor);
      await assert.rejects(readNpy(join(folder, 'y.npy')), FormatError);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('that NumPy wrote are read', async function () {
    const folder = fixtures('data');
    if (!folder) return this.skip();
    for (const name of readdirSync(folder).filter((each) => each.endsWith('.npy'))) {
      const { data, shape } = await readNpy(join(folder, name));
      assert.equal(
        data.length,
        shape.reduce((product, extent) => product * extent, 1),
      );
    }
  });
});
