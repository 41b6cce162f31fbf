import assert from 'node:assert/strict';
import { statSync, truncateSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { create } from 'tar';
import { openDataset, webdataset } from '../../../lib/data/index.js';
import { readAll, scratch } from './support.js';

describe('webdataset', () => {
  const temporary = scratch();
  const at = (name: string): string => join(temporary.path, name);

  async function pack(name: string, files: Readonly<Record<string, string>>, options = {}): Promise<string> {
    for (const [path, content] of Object.entries(files)) temporary.file(`${name}.files/${path}`, content);
    temporary.file(name);
    await create({ file: at(name), cwd: at(`${name}.files`), ...options }, Object.keys(files));
    return at(name);
  }

  const long = `${'deep/'.repeat(60)}${'é'.repeat(90)}`;

  it('groups files by their names up to the first dot, whatever their paths', async () => {
    await pack('shards/b.tar', { '9.json': '{"label": 4}', '9.seg.txt': 'x', '9.png': 'nine' });
    await pack('shards/a.tar', {
      '0.jpg': 'zero',
      '0.cls': '3\n',
      [`${long}.PNG`]: 'long',
      [`${long}.cls`]: '-1',
      'only.txt': 'no picture',
      'with.left.jpg': 'left',
      'with.json': '{"caption": "a cat", "cls": "12"}',
    });
    temporary.file('shards/classes.txt', 'cat\ndog\n');
    const dataset = await openDataset(at('shards'));
    assert.deepEqual(dataset.classes, ['cat', 'dog']);
    const items = await readAll(dataset);
    assert.deepEqual(
      items.map(({ name, picture, label }) => [
        name,
        Buffer.from((picture as { encoded: Uint8Array }).encoded).toString(),
        label,
      ]),
      [
        [`${at('shards/a.tar')}: 0.jpg`, 'zero', 3],
        [`${at('shards/a.tar')}: ${long}.PNG`, 'long', -1],
        [`${at('shards/a.tar')}: with.left.jpg`, 'left', 12],
        [`${at('shards/b.tar')}: 9.png`, 'nine', 4],
      ],
    );
    const one = await openDataset(at('shards/b.tar'));
    assert.equal(one.length, 1);
  });

  it('tells of tars that are cut short or none, and of labels that are missing', async () => {
    const whole = await pack('whole.tar', {
      '0.jpg': 'x'.repeat(5000),
      '0.cls': '1',
      '1.jpg': 'y'.repeat(700),
      '1.cls': '2',
    });
    const refused = (path: string, message: RegExp, options = {}): Promise<void> =>
      assert.rejects(async () => readAll(await webdataset(path, options)), { code: 'FORMAT', message });
    for (const length of [700, 5000, 6200, 8400]) {
      const cut = temporary.file(`cut-${length}.tar`, readFileSync(whole));
      truncateSync(cut, length);
      await refused(cut, new RegExp(`cut-${length}\\.tar: `));
    }
    await refused(
      temporary.file('text.tar', 'no tar at all'.repeat(100)),
      /not a tar, or damaged: no header at byte 0$/,
    );
    await refused(temporary.file('empty.tar'), /empty\.tar: cut short: expected at least 512 bytes, got 0$/);
    await refused(await pack('other.tar', { 'readme.txt': 'x' }), /expected pictures with labels, got none$/);
    await refused(
      await pack('bare.tar', { '0.jpg': 'x' }),
      /0\.jpg: expected its label in 0\.cls, or in 0\.json as label or cls or class$/,
    );
    await refused(
      await pack('word.tar', { '0.jpg': 'x', '0.cls': 'cat' }),
      /0\.cls: expected a whole number as the label, got "cat"$/,
    );
    await refused(await pack('json.tar', { '0.jpg': 'x', '0.json': '{' }), /0\.json: not JSON$/);
    await refused(await pack('zipped.tar.gz', { '0.jpg': 'x', '0.cls': '1' }, { gzip: true }), /gunzip it first$/);
    await refused(at('nowhere.tar'), /no such file or folder$/);
    const field = await pack('field.tar', { '0.jpg': 'x', '0.json': '{"label": 1, "kind": 2}' });
    assert.equal((await readAll(await webdataset(field, { labelField: 'kind' })))[0]!.label, 2);
    await refused(field, /0\.json as other$/, { labelField: 'other' });
  });

  it('notices that a tar has become shorter since', async () => {
    const path = await pack('later.tar', { '0.jpg': 'x'.repeat(5000), '0.cls': '1' });
    const dataset = await webdataset(path);
    truncateSync(path, statSync(path).size - 9000);
    await assert.rejects(readAll(dataset), { code: 'FORMAT', message: /0\.jpg: cut short or changed/ });
  });
});
