import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readNpy } from '../../lib/npy.js';
import { dataFixtures, plainPng, scratch } from '../data/sources/support.js';
import { cli } from '../support/cli.js';

describe('cortado mean', function () {
  this.timeout(120_000);
  const temporary = scratch();
  const at = (name: string): string => join(temporary.path, name);

  it("writes the file that Caffe's tool writes", function () {
    const data = dataFixtures();
    if (!data) this.skip();
    for (const [name, kind] of [
      ['lmdb_raw', 'raw'],
      ['lmdb_encoded_png', 'encoded_png'],
      ['leveldb_raw', 'raw'],
    ] as const) {
      const { code, stdout, stderr } = cli(['mean', join(data.folder, name), at(`${name}.binaryproto`)]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /: 3 x 32 x 32, means of the channels \d+\.\d{4}, /);
      const expected: Buffer = readFileSync(join(data.folder, `mean_lmdb_${kind}.binaryproto`));
      assert.deepEqual(readFileSync(at(`${name}.binaryproto`)), expected);
    }
  });

  it('makes pictures of any size equal, and leaves out what is none', async () => {
    temporary.file('set/a/0.png', await plainPng(10, 20, 30, 9, 7));
    temporary.file('set/a/1.png', await plainPng(20, 40, 60, 5, 12));
    temporary.file('set/a/2.png', 'no picture');
    const { code, stdout, stderr } = cli(['mean', at('set'), at('mean.npy'), '--json', '--size', '4']);
    assert.equal(code, 0, stderr);
    const { shape, channels, skipped } = JSON.parse(stdout) as Record<string, unknown[]>;
    assert.deepEqual(
      [shape, channels],
      [
        [3, 4, 4],
        [45, 30, 15],
      ],
    );
    assert.match(String(skipped), /2\.png: not a picture/);
    assert.match(stderr, /left out: .*2\.png: not a picture/);
    assert.deepEqual((await readNpy(at('mean.npy'))).shape, [3, 4, 4]);
    assert.equal(cli(['mean', at('set'), at('flat.npy'), '--gray', '--size', '3', '5']).code, 0);
    assert.deepEqual((await readNpy(at('flat.npy'))).shape, [1, 3, 5]);
  });

  it('says what is wrong, and writes nothing', () => {
    const refused = (words: readonly string[], code: number, message: RegExp): void => {
      const result = cli(['mean', ...words]);
      assert.equal(result.code, code, result.stderr);
      assert.match(result.stderr, message);
    };
    refused([at('nowhere'), at('x.npy')], 1, /nowhere: no such file or folder/);
    refused([at('set'), at('x.jpg')], 2, /expected a file \.binaryproto or \.npy/);
    refused([at('set'), at('x.npy'), '--size', '0'], 2, /--size: /);
    assert.equal(existsSync(at('x.npy')), false);
  });
});
