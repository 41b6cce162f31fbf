import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import nodeLmdb from 'node-lmdb';
import { encodeDatum } from '../../../lib/data/datum.js';
import { lmdb, type Item } from '../../../lib/data/index.js';
import { LmdbWriter } from '../../../lib/data/lmdb/write.js';
import type { CortadoError } from '../../../lib/errors.js';
import { Random } from '../../../lib/random.js';
import { array } from '../../support/cases.js';
import { dataFixtures, readAll, scratch, sha256, storedBytes } from './support.js';

const temporary = scratch();
const at = (name: string): string => join(temporary.path, name);

/** Numbered records of one plane: the key's number is the label and fills the pixels. */
async function write(
  name: string,
  count: number,
  pixels: number,
  tail: (i: number) => string = () => 'x',
): Promise<string> {
  mkdirSync(at(name));
  const writer = await LmdbWriter.create(join(at(name), 'data.mdb'));
  for (let i = 0; i < count; i++) {
    const key = `${String(i).padStart(8, '0')}_${tail(i)}`;
    const data = new Uint8Array(pixels).fill(i);
    await writer.append(Buffer.from(key), encodeDatum({ channels: 1, height: 1, width: pixels, data, label: i }));
  }
  await writer.finish();
  return at(name);
}

describe('lmdb', () => {
  const caffe = dataFixtures();

  for (const { name, dir, records, pixels } of caffe?.dbs ?? []) {
    it(`reads ${name} as Caffe wrote it`, async () => {
      const folder = join(caffe!.folder, basename(dir));
      const before = readdirSync(folder);
      const dataset = await lmdb(folder);
      assert.equal(dataset.length, records.length);
      const items = await readAll(dataset);
      items.forEach((item, i) => {
        const { key, label, data_sha256: sha, channels, height, width } = records[i]!;
        assert.equal(item.name, `${folder}: ${key}`);
        assert.equal(item.label, label);
        assert.equal(sha256(storedBytes(item)), sha);
        if ('pixels' in item.picture) assert.deepEqual(item.picture.shape, [channels, height, width]);
      });
      if (pixels) {
        const values = items.flatMap(({ picture }) => ('pixels' in picture ? Array.from(picture.pixels) : []));
        assert.deepEqual(Float32Array.from(values), array(join(caffe!.folder, pixels.file)).data);
      }
      assert.deepEqual(readdirSync(folder), before, 'nothing is written beside it');
    });
  }

  it('is what LMDB itself reads, whatever the depth of the tree', async () => {
    for (const [name, count, size, tail] of [
      ['one', 1, 5],
      ['leaf', 30, 5],
      ['branches', 30_000, 5],
      ['pages', 2000, 3000],
      ['deep', 9000, 1, (i: number) => 'k'.repeat(i % 500)],
    ] as const) {
      const folder = await write(name, count, size, tail);
      const own = await readAll(await lmdb(folder));
      const env = new nodeLmdb.Env();
      env.open({ path: folder, readOnly: true });
      const dbi = env.openDbi({ name: null, keyIsBuffer: true });
      const txn = env.beginTxn({ readOnly: true });
      assert.equal((dbi.stat(txn) as { entryCount: number }).entryCount, count);
      const cursor = new nodeLmdb.Cursor(txn, dbi, { keyIsBuffer: true });
      let i = 0;
      for (let key = cursor.goToFirst() as Buffer | null; key; key = cursor.goToNext() as Buffer | null, i++) {
        assert.equal(own[i]!.name, `${folder}: ${key.toString()}`);
        // A search goes down the tree by the keys of the branches.
        const value = txn.getBinary(dbi, key);
        const { label, channels, height, picture } = { ...own[i]!, channels: 1, height: 1 };
        assert.ok('pixels' in picture && picture.pixels instanceof Uint8Array);
        const [, , width] = picture.shape;
        assert.deepEqual(
          value,
          Buffer.from(encodeDatum({ channels, height, width: width!, data: picture.pixels, label: label as number })),
        );
      }
      assert.equal(i, count);
      cursor.close();
      txn.abort();
      dbi.close();
      env.close();
    }
  }).timeout(120_000);

  it('reads what LMDB itself has written, changed and deleted', async () => {
    mkdirSync(at('changed'));
    const env = new nodeLmdb.Env();
    env.open({ path: at('changed'), mapSize: 2 ** 26 });
    const dbi = env.openDbi({ name: null, create: true, keyIsBuffer: true });
    const random = new Random(5, 0);
    const expected = new Map<string, number>();
    for (let round = 0; round < 8; round++) {
      const txn = env.beginTxn();
      for (let i = 0; i < 500; i++) {
        const label = Math.floor(random.uniform() * 3000);
        const key = `key ${String(label).padStart(6, '0')}`;
        if (expected.has(key) && i % 2 === 0) {
          txn.del(dbi, Buffer.from(key));
          expected.delete(key);
        } else {
          const width = 1 + ((label * 7) % 2500);
          const data = new Uint8Array(width).fill(round);
          const value = encodeDatum({ channels: 1, height: 1, width, data, label });
          txn.putBinary(dbi, Buffer.from(key), Buffer.from(value));
          expected.set(key, round);
        }
      }
      txn.commit();
    }
    dbi.close();
    env.close();
    const items = await readAll(await lmdb(at('changed')));
    const found = items.map((item): [string, number] => [item.name.split(': ')[1]!, storedBytes(item)[0]!]);
    assert.deepEqual(
      found,
      [...expected].sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  });

  it('tells of a file that is cut short, wherever', async () => {
    const whole = readFileSync(join(await write('short', 300, 2500), 'data.mdb'));
    for (let length = 0; length < whole.length; length += 3001) {
      const file = temporary.file('short.mdb', whole.subarray(0, length));
      await assert.rejects(async () => readAll(await lmdb(file)), { code: 'FORMAT' }, `${length} bytes`);
    }
  });

  it('reads or refuses a damaged file, and does nothing else', async () => {
    const whole = readFileSync(join(await write('damaged', 200, 40), 'data.mdb'));
    const random = new Random(6, 0);
    let refused = 0;
    for (let i = 0; i < 400; i++) {
      const bytes = Buffer.from(whole);
      for (let n = 0; n < 20; n++)
        bytes[Math.floor(random.uniform() * bytes.length)] = Math.floor(256 * random.uniform());
      const file = temporary.file('damaged.mdb', bytes);
      try {
        assert.equal((await readAll(await lmdb(file))).length, 200);
      } catch (error) {
        assert.equal((error as CortadoError).code, 'FORMAT', String(error));
        refused++;
      }
    }
    assert.ok(refused > 40, `${refused} refused`);
  });

  it('refuses what is no such database', async () => {
    const is = (path: string, message: RegExp): Promise<void> =>
      assert.rejects(lmdb(path), { code: 'FORMAT', message });
    await is(at('missing'), /missing: no such file or folder$/);
    mkdirSync(at('empty-folder'));
    await is(at('empty-folder'), /expected an LMDB, got a folder without data\.mdb$/);
    await is(temporary.file('text.mdb', 'not a database'.repeat(1000)), /not an LMDB file/);
    mkdirSync(at('no-records'));
    await (await LmdbWriter.create(join(at('no-records'), 'data.mdb'))).finish();
    await is(at('no-records'), /expected at least one record, got an empty database$/);
    const other = readFileSync(join(await write('version', 3, 4), 'data.mdb'));
    other.writeUInt32LE(2, 20);
    await is(temporary.file('version.mdb', other), /expected LMDB format 1, which LMDB 0\.9 writes, got 2$/);
    mkdirSync(at('strange'));
    const writer = await LmdbWriter.create(join(at('strange'), 'data.mdb'));
    await writer.append(Buffer.from('a'), Buffer.from('no datum'));
    await writer.finish();
    await assert.rejects(async () => readAll(await lmdb(at('strange'))), { code: 'FORMAT', message: /strange: a: / });
  });

  it('takes names of classes from classes.txt, and keeps what is to be done with the pictures', async () => {
    const folder = await write('named', 2, 4);
    writeFileSync(join(folder, 'classes.txt'), 'cat\nlarge dog\r\n\n');
    const dataset = await lmdb(folder, { crop: 2, signal: new AbortController().signal });
    assert.deepEqual(dataset.classes, ['cat', 'large dog']);
    assert.deepEqual(dataset.transform, { crop: 2 });
    copyFileSync(join(folder, 'data.mdb'), at('alone.mdb'));
    assert.equal((await lmdb(at('alone.mdb'))).classes, undefined);
  });

  it('can be aborted', async () => {
    const folder = await write('aborted', 30_000, 4);
    const controller = new AbortController();
    const search = lmdb(folder, { signal: controller.signal });
    setImmediate(() => controller.abort(new Error('enough')));
    await assert.rejects(search, /enough/);
  });

  it('refuses keys that are not in order', async () => {
    const writer = await LmdbWriter.create(at('order.mdb'));
    await writer.append(Buffer.from('b'), Buffer.alloc(1));
    for (const key of ['a', 'b', '', 'x'.repeat(512)]) {
      await assert.rejects(writer.append(Buffer.from(key), Buffer.alloc(1)), { code: 'USAGE' });
    }
    await writer.close();
  });
});

describe('a Datum', () => {
  it('is refused when its numbers do not fit its extents', async () => {
    const broken = async (value: Uint8Array): Promise<Item[]> => {
      const writer = await LmdbWriter.create(at('datum.mdb'));
      await writer.append(Buffer.from('k'), value);
      await writer.finish();
      return readAll(await lmdb(at('datum.mdb')));
    };
    const shape = { channels: 1, height: 2, width: 2 };
    const data = new Uint8Array(4);
    assert.equal((await broken(encodeDatum({ ...shape, data, label: -7 })))[0]!.label, -7);
    const refused: [Parameters<typeof encodeDatum>[0], RegExp][] = [
      [{ ...shape, data: new Uint8Array(3) }, /k: expected 4 pixels for \(1, 2, 2\), got 3$/],
      [
        { ...shape, height: -2, width: -2, data },
        /k: expected channels, height and width of at least 1, got \(1, -2, -2\)$/,
      ],
      [{ data }, /k: expected channels, height and width of at least 1, got \(0, 0, 0\)$/],
      [{ ...shape, float_data: [1, 2] }, /k: expected 4 pixels for \(1, 2, 2\), got 2$/],
      [{ encoded: true }, /k: expected an encoded picture, got none$/],
    ];
    for (const [fields, message] of refused)
      await assert.rejects(broken(encodeDatum(fields)), { code: 'FORMAT', message });
    await assert.rejects(broken(Buffer.from([0x0d, 1, 2, 3, 4])), { message: /k: expected a whole number at byte 1$/ });
    await assert.rejects(broken(Buffer.from([0x32, 3, 1, 2, 3])), {
      message: /k: 3 bytes at byte 2 are no 32-bit numbers$/,
    });
  });
});
