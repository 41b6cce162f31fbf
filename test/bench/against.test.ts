/** Two builds in turns: here the compiled one and the sources that it was made of. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Row } from '../../bench/against.js';

const root = resolve(import.meta.dirname, '../..');
const against = (...words: string[]): Promise<{ stdout: string }> =>
  promisify(execFile)(process.execPath, ['--import', 'tsx', 'bench/against.ts', ...words], { cwd: root });

describe('npm run bench:against', () => {
  let folder: string;
  before(() => (folder = mkdtempSync(join(tmpdir(), 'cortado-against-'))));
  after(() => rmSync(folder, { recursive: true, force: true }));

  const rowsOf = async (...words: string[]): Promise<{ stdout: string; rows: readonly Row[] }> => {
    const json = join(folder, 'report.json');
    const { stdout } = await against(root, ...words, '--seconds', '0', '--json', json);
    return { stdout, rows: (JSON.parse(readFileSync(json, 'utf8')) as { rows: readonly Row[] }).rows };
  };

  it('times every pass of a layer by both', async () => {
    const { stdout, rows } = await rowsOf('--layers', '^depthwise, 7 pixels$', '--batch', '2');
    assert.deepEqual(
      rows.map(({ name, pass, batch }) => [name, pass, batch]),
      ['forward', 'dgrad', 'wgrad'].map((pass) => ['depthwise, 7 pixels', pass, 2]),
    );
    for (const { before, now, ratio } of rows) assert.ok(before > 0 && now > 0 && ratio > 0.01 && ratio < 100);
    assert.match(stdout, /depthwise, 7 pixels +wgrad +2 .* x\n/);
  });

  it('times nets, forward and in training steps', async () => {
    const { rows } = await rowsOf('--nets', 'lenet', '--batch', '1,3');
    assert.deepEqual(
      rows.map(({ name, pass, batch }) => `${name} ${pass} ${batch}`),
      ['lenet infer 1', 'lenet infer 3'],
    );
    const { rows: trained } = await rowsOf('--nets', 'lenet', '--train', '--batch', '3');
    assert.deepEqual(
      trained.map(({ name, pass }) => `${name} ${pass}`),
      ['lenet train'],
    );
  });

  it('says where there is no build', async () => {
    await assert.rejects(against(folder), /index\.js: no such file; run `npm run build` there/);
  });
});
