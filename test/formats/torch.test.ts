import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { toTensor } from '../../lib/formats/elements.js';
import { openTorch } from '../../lib/formats/torch/read.js';
import { writeTorch } from '../../lib/formats/torch/write.js';
import { zipPieces } from '../../lib/formats/zip.js';
import { python, pythonHas } from '../support/python.js';
import { original } from './support.js';

interface Described {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly values: readonly string[];
}
const state = JSON.parse(readFileSync(original('state.json'), 'utf8')) as Record<string, Described>;

/** An archive as torch.save lays it out, around this pickle. */
async function archive(pickle: Uint8Array, storage = new Uint8Array(16)): Promise<Uint8Array> {
  const members = Object.entries({ 'x/data.pkl': pickle, 'x/byteorder': Buffer.from('little'), 'x/data/0': storage });
  const pieces = zipPieces(
    members.map(([name, bytes]) => ({
      name,
      async *bytes() {
        yield bytes;
      },
    })),
    { compress: false },
  );
  const parts: Uint8Array[] = [];
  for await (const piece of pieces) parts.push(piece);
  return Buffer.concat(parts);
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const word = (text: string): string => `X${String.fromCharCode(text.length)}\0\0\0${text}`;
/** The pickle of one float32 tensor of storage 0: its elements, size and strides as instructions. */
const tensor = (elements: string, size: string, strides: string): string =>
  `\x80\x02}(${word('w')}ctorch._utils\n_rebuild_tensor_v2\n((${word('storage')}ctorch\nFloatStorage\n${word('0')}${word('cpu')}${elements}tQK\0${size}${strides}\x89NtRu.`;

describe('.pth files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cortado-pth-'));
  after(() => rmSync(folder, { recursive: true }));

  for (const file of ['state.pth', 'state-legacy.pth'])
    it(`that torch wrote are read, views and strides and all: ${file}`, async () => {
      await using pth = await openTorch(original(file));
      assert.deepEqual([...pth.tensors.keys()], Object.keys(state));
      for (const [name, { dtype, shape, values }] of Object.entries(state)) {
        const raw = await pth.read(name);
        assert.deepEqual([raw.dtype, raw.shape], [dtype, shape], name);
        assert.deepEqual([...toTensor(raw, name).data], values.map(Number), name);
      }
    });

  it('name nested tensors by their way, and keep texts and numbers', async () => {
    await using file = await openTorch(original('checkpoint.pt'));
    assert.deepEqual(file.metadata, { epoch: '3', lr: '0.5', name: 'net', 'size.0': '4', 'size.1': '6' });
    assert.ok(file.tensors.has('state_dict.dense'));
    assert.deepEqual([...toTensor(await file.read('list.1.0'), '').data], state.row!.values.map(Number));
  });

  it('come back as they were written', async () => {
    const path = join(folder, 'copy.pth');
    await using file = await openTorch(original('state.pth'));
    await writeTorch(path, file);
    await using copy = await openTorch(path);
    for (const name of file.tensors.keys()) assert.deepEqual(await copy.read(name), await file.read(name));
    const first = readFileSync(path);
    await writeTorch(path, copy);
    assert.deepEqual(readFileSync(path), first);
  });

  it('are read by torch.load(weights_only=True)', async function () {
    if (!pythonHas('torch')) return this.skip();
    const path = join(folder, 'for-torch.pth');
    await using file = await openTorch(original('state.pth'));
    await writeTorch(path, file);
    const answer = python(
      `import torch
a, b = (torch.load(p, weights_only=True) for p in (${JSON.stringify(path)}, ${JSON.stringify(original('state.pth'))}))
raw = lambda t: t.detach().contiguous().reshape(-1).view(torch.uint8).tolist()
print(list(a) == list(b), all((a[k].dtype, a[k].shape, raw(a[k])) == (b[k].dtype, b[k].shape, raw(b[k])) for k in a))`,
    );
    assert.equal(answer.trim(), 'True True');
  });

  it('that would run something are refused by name and place, and run nothing', async () => {
    await assert.rejects(openTorch(original('hostile.pth')), {
      code: 'FORMAT',
      message: /hostile\.pth: data\.pkl: pickle, byte 13: posix\.system is not admitted/,
    });
    assert.ok(!existsSync('/tmp/cortado-was-here'));
    await assert.rejects(openTorch(original('module.pth')), { message: /byte 2: __main__\.Net is not admitted/ });
    const refused: [string, RegExp][] = [
      ['\x80\x02cos\nsystem\n(X\x02\0\0\0lstR.', /byte 2: os\.system is not admitted/],
      [`\x80\x04\x8c\x08builtins\x8c\x04eval\x93(${word('1')}tR.`, /byte 18: builtins\.eval is not admitted/],
      ['(S"x"\nios\nsystem\n.', /byte 1: STRING is not admitted/],
      ['(ios\nsystem\n.', /byte 1: INST is not admitted/],
      ['\x80\x02ccollections\nOrderedDict\n)\x81.', /NEWOBJ is not admitted/],
      ['\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}b.', /BUILD is admitted for dictionaries only/],
      ['\x80\x02]q\0}(h\0K\x01u.', /keys of text/],
      ['\x80\x02h\x07.', /nothing was remembered under 7/],
      ['\x80\x02K\x01K\x02R.', /REDUCE is admitted for the parts of tensors only/],
      ['\x80\x02R.', /the stack is empty/],
      ['\x80\x02t.', /expected a mark/],
      ['\x80\x02NQ.', /expected the persistent id of a storage/],
      ['\x80\x02\xff', /opcode 0xff is not admitted/],
      ['\x80\x02}', /cut short/],
      ['\x80\x02X\xff\xff\xff\x7fabc', /cut short/],
      ['\x80\x02cnew', /cut short/],
    ];
    for (const [pickle, message] of refused)
      await assert.rejects(archive(bytes(pickle)).then(openTorch), { code: 'FORMAT', message }, pickle);
  });

  it('whose tensors cannot be are refused', async () => {
    const size = (...extents: string[]): string => `(${extents.join('')}t`;
    const good = tensor('K\x04', size('K\x02', 'K\x02'), size('K\x02', 'K\x01'));
    await using file = await openTorch(await archive(bytes(good)));
    assert.equal((await file.read('w')).bytes.length, 16);
    const huge = 'J\xff\xff\xff\x7f';
    const refused: [string, RegExp][] = [
      [tensor('K\x04', size('K\x05'), size('K\x01')), /\(5\) and strides \(1\) at 0 does not lie within the 16 bytes/],
      [tensor('K\x04', size('K\x02', 'K\x02'), size('K\x03', 'K\x01')), /does not lie within/],
      [tensor('K\x04', size('J\xff\xff\xff\xff'), size('K\x01')), /whole numbers/],
      [tensor('K\x04', size('K\x02'), size('J\xff\xff\xff\xff')), /whole numbers/],
      [tensor('K\x04', size('K\x02'), size()), /whole numbers/],
      [tensor('\x8a\x08\0\0\0\0\0\0\0\x40', size('K\x02'), size('K\x01')), /persistent id/],
      [tensor('K\x04', size(huge, huge, huge), size('K\0', 'K\0', 'K\0')), /does not lie within/],
    ];
    for (const [pickle, message] of refused)
      await assert.rejects(archive(bytes(pickle)).then(openTorch), { code: 'FORMAT', message });
    await using short = await openTorch(await archive(bytes(tensor('K\x05', size('K\x05'), size('K\x01')))));
    await assert.rejects(short.read('w'), { message: /data\/0: expected a storage of 20 bytes, got 16/ });
    await using bomb = await openTorch(await archive(bytes(tensor('K\x04', size(huge), size('K\0')))));
    await assert.rejects(bomb.read('w'), { message: /4 bytes expand to 8589934588/ });
  });

  it('that nest without end or share without end are refused in no time', async () => {
    const deep = `\x80\x02${']'.repeat(100_000)}${'a'.repeat(99_999)}.`;
    const cycle = '\x80\x02]q\0h\0a.';
    const shared = `\x80\x02]q\0${Array.from({ length: 40 }, (_, i) => `0](${`h${String.fromCharCode(i)}`.repeat(10)}eq${String.fromCharCode(i + 1)}`).join('')}.`;
    for (const pickle of [deep, cycle, shared])
      await assert.rejects(archive(bytes(pickle)).then(openTorch), { code: 'FORMAT', message: /at most 32 levels/ });
  });

  it('of other kinds are told apart', async () => {
    await assert.rejects(openTorch(Buffer.from('a text')), { message: /expected a file of torch\.save/ });
    await assert.rejects(openTorch(Buffer.alloc(0)), { message: /expected a file of torch\.save/ });
    await assert.rejects(openTorch(original('stored.npz')), { message: /got another zip archive/ });
  });

  it('cut short or with any damage give an error of ours or tensors', async () => {
    for (const file of ['state-legacy.pth', 'state.pth']) {
      const good = readFileSync(original(file));
      const damage = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 4 });
      await fc.assert(
        fc.asyncProperty(damage, fc.nat(good.length), fc.boolean(), async (changes, length, cut) => {
          const damaged = Buffer.from(cut ? good.subarray(0, length) : good);
          for (const [at, value] of changes) if (at < damaged.length) damaged[at] = value;
          try {
            await using pth = await openTorch(damaged);
            for (const name of pth.tensors.keys()) await pth.read(name);
          } catch (error) {
            assert.ok(error instanceof Error && 'code' in error && error.code === 'FORMAT', String(error));
          }
        }),
        { numRuns: 300 },
      );
    }
  });
});
