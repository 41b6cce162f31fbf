import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { readBinaryproto, writeBinaryproto } from '../../lib/caffe/binaryproto.js';
import { encodeBlob, type Blob } from '../../lib/caffe/blob.js';
import { encodeCaffemodel, readCaffemodel, writeCaffemodel, type CaffeModel } from '../../lib/caffe/caffemodel.js';
import * as schema from '../../lib/caffe/schema.js';
import { readSolverstate, writeSolverstate } from '../../lib/caffe/solverstate.js';
import { FormatError, ShapeError } from '../../lib/errors.js';
import { readNpy } from '../../lib/npy.js';
import { decodeMessage, encodeMessage, nest } from '../../lib/protobuf/wire.js';
import { fixtures } from '../support/fixtures.js';
import { messageOf } from './support.js';

const { BlobProto, create, Datum, LayerParameter, NetParameter, SolverParameter } = schema;

/** A caffemodel in one piece. */
function bytesOf(model: CaffeModel): Uint8Array {
  return Buffer.concat(encodeCaffemodel(model));
}

/** A net with one layer whose blob is the given message. */
function netWith(blob: Uint8Array): Uint8Array {
  const name = encodeMessage(LayerParameter, create(LayerParameter, { name: 'ip', type: 'InnerProduct' }));
  return Buffer.concat(nest(100, [name, ...nest(7, [blob])]));
}

const small: CaffeModel = {
  name: 'small',
  layers: [
    { name: 'relu', type: 'ReLU', blobs: [] },
    {
      name: 'ip',
      type: 'InnerProduct',
      blobs: [
        { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
        { shape: [2], data: Float32Array.of(7, 8) },
      ],
    },
  ],
};

function plain({ name, layers }: CaffeModel): unknown {
  return { name, layers: layers.map(({ name, type, blobs }) => ({ name, type, blobs })) };
}

async function refusal(source: Uint8Array, message: RegExp): Promise<void> {
  await assert.rejects(
    readCaffemodel(source),
    (error: Error) => error instanceof FormatError && message.test(error.message),
  );
}

describe('caffemodel', () => {
  let folder: string;
  before(() => (folder = mkdtempSync(join(tmpdir(), 'cortado-caffe-'))));
  after(() => rmSync(folder, { recursive: true }));

  it('is written and read again, gzipped or not', async () => {
    const path = join(folder, 'small.caffemodel');
    await writeCaffemodel(path, small);
    assert.deepEqual(plain(await readCaffemodel(path)), plain(small));
    writeFileSync(`${path}.gz`, gzipSync(readFileSync(path)));
    assert.deepEqual(plain(await readCaffemodel(`${path}.gz`)), plain(small));
    assert.deepEqual(readdirSync(folder).sort(), ['small.caffemodel', 'small.caffemodel.gz']);
  });

  it('keeps any blobs of any layers', async () => {
    const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 5 });
    const blob = shape.chain((shape) => {
      const length = shape.reduce((product, extent) => product * extent, 1);
      return fc.float32Array({ minLength: length, maxLength: length }).map((data): Blob => ({ shape, data }));
    });
    const layer = fc.record({ name: fc.string(), type: fc.string(), blobs: fc.array(blob, { maxLength: 3 }) });
    const model = fc.record({ name: fc.string(), layers: fc.array(layer, { maxLength: 4 }) });
    await fc.assert(
      fc.asyncProperty(model, async (given) => {
        const usual = {
          ...given,
          layers: given.layers.map((each) => (each.type === 'BatchNorm' ? { ...each, type: 'Scale' } : each)),
        };
        assert.deepEqual(plain(await readCaffemodel(bytesOf(usual))), plain(usual));
      }),
    );
  });

  it('takes numbers one by one, in several runs, and of 64 bits', async () => {
    const single = encodeBlob({ shape: [2], data: Float32Array.of(1, 2) });
    const one = Buffer.alloc(5);
    one[0] = (5 << 3) | 5;
    one.writeFloatLE(1, 1);
    const two = Buffer.concat(nest(5, [new Uint8Array(Float32Array.of(2).buffer)]));
    const mixed = Buffer.concat([one, two, single.at(-1)!]);
    const wide = encodeMessage(BlobProto, create(BlobProto, { shape: { dim: [2] }, double_data: [1, 2] }));
    for (const blob of [mixed, wide]) {
      const { layers } = await readCaffemodel(netWith(blob));
      assert.deepEqual(layers[0]?.blobs, [{ shape: [2], data: Float32Array.of(1, 2) }]);
    }
  });

  it('is refused, not believed, when a blob does not make sense', async () => {
    const shaped = (dim: number[], data: number[] = []): Uint8Array =>
      netWith(encodeMessage(BlobProto, create(BlobProto, { shape: { dim }, data })));
    await refusal(shaped([2, 3], [1, 2]), /layer 0 "ip", blob 0: shape \(2, 3\) needs 6 numbers, got 2/);
    await refusal(shaped([-1, -2], [1, 2]), /\(-1, -2\) is not the shape/);
    await refusal(shaped([2 ** 40, 2 ** 40]), /is not the shape/);
    await refusal(shaped([2 ** 31]), /is not the shape/);
    await refusal(shaped([2 ** 31 - 1]), /needs 2147483647 numbers, got 0/);
    await refusal(shaped(Array.from({ length: 40 }, () => 1)), /is not the shape/);
    await refusal(netWith(Uint8Array.of((5 << 3) | 2, 3, 1, 2, 3)), /3 bytes at byte \d+ are no 32-bit numbers/);
    const legacy = create(BlobProto, { num: -1, channels: 1, height: 1, width: 1, data: [1] });
    await refusal(netWith(encodeMessage(BlobProto, legacy)), /\(-1, 1, 1, 1\) is not the shape/);
    await assert.rejects(
      writeCaffemodel(join(folder, 'x'), {
        ...small,
        layers: [{ name: 'a', type: 'b', blobs: [{ shape: [3], data: new Float32Array(2) }] }],
      }),
      ShapeError,
    );
  });

  it('is refused wherever it is cut off', async () => {
    const whole = bytesOf(small);
    let refused = 0;
    for (let length = 0; length < whole.length; length++) {
      // A cut between two entries of the net leaves a shorter net, which nothing can tell from a whole one.
      const result = await readCaffemodel(whole.subarray(0, length)).catch((error: unknown) => error);
      if (result instanceof Error) {
        assert(result instanceof FormatError);
        assert.match(result.message, /byte \d+/);
        refused++;
      }
    }
    assert(refused >= whole.length - 3, `${refused} of ${whole.length}`);
    const path = join(folder, 'cut.caffemodel');
    writeFileSync(path, whole.subarray(0, whole.length - 5));
    await assert.rejects(readCaffemodel(path), /cut\.caffemodel: broken or cut off at byte 22/);
  });

  it('is refused when it claims absurd lengths or is no such file', async () => {
    await refusal(Uint8Array.of(0xa2, 0x06, 0xff, 0xff, 0xff, 0xff, 0x07), /cut off at byte 0/);
    await refusal(Buffer.from('name: "net"'), /broken/);
    await refusal(Buffer.from([0x1f, 0x8b, 1, 2, 3]), /broken gzip/);
    await refusal(
      Buffer.concat(Array.from({ length: 100_001 }, () => Uint8Array.of(0xa2, 0x06, 0))),
      /at most 100000 parts/,
    );
    await assert.rejects(readCaffemodel(join(folder, 'absent')), /absent: cannot be read/);
    await assert.rejects(readCaffemodel(folder), FormatError);
  });

  it('never fails with anything but a FormatError on changed bytes', async () => {
    const whole = bytesOf(small);
    const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), async (changes) => {
        const bytes = Uint8Array.from(whole);
        for (const [at, value] of changes) bytes[at] = value;
        const result = await readCaffemodel(bytes).catch((error: unknown) => error);
        assert(!(result instanceof Error) || result instanceof FormatError, String(result));
      }),
      { numRuns: 300 },
    );
  });

  it('is read without holding up the event loop', async () => {
    const data = new Float32Array(16 * 1024 * 1024).fill(0.5);
    const whole = bytesOf({
      name: 'large',
      layers: [{ name: 'ip', type: 'InnerProduct', blobs: [{ shape: [data.length], data }] }],
    });
    // Turns of the loop are counted, not timed: a busy machine must not fail the test.
    let turns = 0;
    let reading = true;
    const turn = (): void => {
      turns++;
      if (reading) setImmediate(turn);
    };
    turn();
    const model = await readCaffemodel(whole);
    reading = false;
    assert.deepEqual(model.layers[0]?.blobs[0]?.data.subarray(-2), Float32Array.of(0.5, 0.5));
    // 64 MiB in steps of 2 MiB.
    assert(turns >= 30, `${turns} turns`);
  });

  it('that Caffe wrote comes back byte for byte', async function () {
    const nets = fixtures('nets');
    const solvers = fixtures('solver');
    if (!nets || !solvers) return this.skip();
    const files = [nets, solvers].flatMap((root) =>
      readdirSync(root, { recursive: true, encoding: 'utf8' }).map((name) => join(root, name)),
    );
    const models = files.filter((name) => name.endsWith('.caffemodel'));
    assert(models.length > 50);
    for (const path of models)
      assert(Buffer.from(bytesOf(await readCaffemodel(path))).equals(readFileSync(path)), path);
  });

  it('of the old form gives what Caffe upgrades it to', async function () {
    const legacy = fixtures('legacy');
    if (!legacy) return this.skip();
    const old = await readCaffemodel(join(legacy, 'v1_weights.caffemodel'));
    assert(Buffer.from(bytesOf(old)).equals(readFileSync(join(legacy, 'v1_upgraded.caffemodel'))));
    for (const { name, blobs } of old.layers) {
      for (const [index, blob] of blobs.entries()) {
        const expected = await readNpy(join(legacy, `${name}_param${index}.npy`));
        assert.equal(blob.legacy, true);
        assert.deepEqual(blob.data, expected.data);
      }
    }
  });
});

describe('binaryproto and solverstate', () => {
  let folder: string;
  before(() => (folder = mkdtempSync(join(tmpdir(), 'cortado-caffe-'))));
  after(() => rmSync(folder, { recursive: true }));

  it('are written and read again', async () => {
    const mean: Blob = { shape: [1, 3, 1, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6), legacy: true };
    await writeBinaryproto(join(folder, 'mean'), mean);
    assert.deepEqual(await readBinaryproto(join(folder, 'mean')), mean);
    const pair: Blob = { shape: [2], data: Float32Array.of(1, 2), diff: Float32Array.of(3, 4) };
    await writeBinaryproto(join(folder, 'pair'), pair);
    assert.deepEqual(await readBinaryproto(join(folder, 'pair'), { diffs: true }), pair);
    const state = {
      iteration: 7,
      learnedNet: 'x',
      currentStep: 2,
      history: [{ shape: [2], data: Float32Array.of(1, 2) }],
    };
    await writeSolverstate(join(folder, 'state'), state);
    assert.deepEqual(await readSolverstate(join(folder, 'state')), state);
    await assert.rejects(writeBinaryproto(join(folder, 'x'), { ...mean, shape: [6] }), ShapeError);
  });

  it('that Caffe wrote are read as Caffe reads them', async function () {
    const data = fixtures('data');
    const solver = fixtures('solver');
    if (!data || !solver) return this.skip();
    for (const name of readdirSync(data).filter((each) => each.endsWith('.binaryproto'))) {
      const blob = await readBinaryproto(join(data, name), { diffs: true });
      const expected = await readNpy(join(data, name.replace('.binaryproto', '.npy')));
      const wanted = expected.data instanceof Float64Array ? Float32Array.from(expected.data) : expected.data;
      assert.deepEqual(blob.data, wanted, name);
      assert.equal(blob.legacy ?? false, name.startsWith('mean'), name);
      if (name.startsWith('blob_shape'))
        assert.deepEqual(
          blob.diff,
          blob.data.map((value) => 2 * value),
        );
    }
    const states = readdirSync(solver, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.solverstate'),
    );
    assert(states.length > 20);
    for (const name of states) {
      const path = join(solver, name);
      const state = await readSolverstate(path);
      assert.equal(state.learnedNet, basename(path).replace('.solverstate', '.caffemodel'));
      for (const [index, blob] of state.history.entries()) {
        const expected = await readNpy(join(dirname(path), `${basename(path, '.solverstate')}_history${index}.npy`));
        assert.deepEqual(blob, expected, `${name} ${index}`);
      }
      await writeSolverstate(join(folder, 'again'), state);
      assert(readFileSync(join(folder, 'again')).equals(readFileSync(path)), name);
    }
  });
});

describe('messages in binary form', () => {
  for (const type of [LayerParameter, NetParameter, SolverParameter, BlobProto, Datum] as schema.MessageType[]) {
    it(`keep any ${type.name}`, () => {
      fc.assert(
        fc.property(messageOf(type), (message) => {
          const back = decodeMessage(type, encodeMessage(type, message), type.name);
          assert.deepEqual(back, message);
        }),
        { numRuns: 50 },
      );
    });
  }

  it('are refused for values that an enumeration lacks', () => {
    const pool = Uint8Array.of(1 << 3, 9);
    assert.throws(
      () => decodeMessage(schema.PoolingParameter, pool, 'x'),
      /PoolingParameter\.pool: 9 is not a value of PoolMethod/,
    );
  });
});
