import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { encodeDatum } from '../../../lib/data/datum.js';
import { leveldb, lmdb, openDataset } from '../../../lib/data/index.js';
import { copyFolder, dataFixtures, readAll, scratch } from './support.js';

const views = (): number => readdirSync(tmpdir()).filter((name) => name.startsWith('cortado-leveldb-')).length;

/** Names, sizes and times of what is in a folder. */
const state = (path: string): unknown =>
  readdirSync(path).map((name) => {
    const { size, mtimeMs } = statSync(join(path, name));
    return [name, size, mtimeMs, readFileSync(join(path, name))];
  });

describe('leveldb', () => {
  const temporary = scratch();

  /** A database with records of many tables. */
  async function write(name: string, records: number, bytes: number): Promise<string> {
    const path = join(temporary.path, name);
    const level = new ClassicLevel<string, Buffer>(path, { valueEncoding: 'buffer', writeBufferSize: 1 << 16 });
    await level.open();
    for (let i = 0; i < records; i++) {
      const data = new Uint8Array(bytes).fill(i);
      const value = encodeDatum({ channels: 1, height: 1, width: bytes, data, label: i });
      await level.put(String(i).padStart(5, '0'), Buffer.from(value));
    }
    await level.close();
    return path;
  }

  it("reads what Caffe's tool wrote, as the LMDB of the same pictures", async function () {
    const data = dataFixtures();
    if (!data) this.skip();
    const [ours, other] = [await leveldb(join(data.folder, 'leveldb_raw')), await lmdb(join(data.folder, 'lmdb_raw'))];
    const plain = (items: Awaited<ReturnType<typeof readAll>>): unknown =>
      items.map(({ name, picture, label }) => [name.split(': ')[1], picture, label]);
    assert.deepEqual(plain(await readAll(ours)), plain(await readAll(other)));
  });

  it('changes nothing in the folder, which may be read-only, and leaves nothing behind', async () => {
    const path = await write('kept', 200, 2000);
    const before = state(path);
    const left = views();
    chmodSync(path, 0o555);
    const items = await readAll(await openDataset(path));
    chmodSync(path, 0o755);
    assert.deepEqual(
      items.map(({ label }) => label),
      Array.from({ length: 200 }, (_, i) => i),
    );
    assert.deepEqual(state(path), before);
    assert.equal(views(), left);
  });

  it('reads a database that another has open', async () => {
    const path = await write('busy', 20, 10);
    const level = new ClassicLevel(path);
    await level.open();
    assert.equal((await readAll(await leveldb(path))).length, 20);
    await level.close();
  });

  it('tells of a database that is cut short, or none', async () => {
    const left = views();
    const path = await write('whole', 300, 2000);
    const names = readdirSync(path);
    const table = names.filter((name) => name.endsWith('.ldb')).sort()[0]!;
    const broken = async (name: string, change: (folder: string) => void): Promise<void> => {
      const folder = copyFolder(path, names, join(temporary.path, name));
      change(folder);
      await assert.rejects(async () => readAll(await leveldb(folder)), { code: 'FORMAT', message: new RegExp(name) });
    };
    const { size } = statSync(join(path, table));
    for (const length of [0, 100, size >> 1, size - 1])
      await broken(`cut-${length}`, (folder) => truncateSync(join(folder, table), length));
    await broken('no-manifest', (folder) => {
      const manifest = names.find((name) => name.startsWith('MANIFEST'))!;
      truncateSync(join(folder, manifest), 10);
    });
    await broken('damaged', (folder) => {
      const bytes = readFileSync(join(folder, table));
      bytes.fill(0xff, size >> 2, size >> 1);
      writeFileSync(join(folder, table), bytes);
    });
    mkdirSync(join(temporary.path, 'empty'));
    await assert.rejects(leveldb(join(temporary.path, 'empty')), { code: 'FORMAT', message: /without CURRENT$/ });
    await assert.rejects(leveldb(join(temporary.path, 'nowhere')), { code: 'FORMAT', message: /no such file/ });
    await assert.rejects(leveldb(await write('nothing', 0, 0)), { code: 'FORMAT', message: /an empty database$/ });
    assert.equal(views(), left);
  });
});
