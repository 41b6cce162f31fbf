import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { AddonError } from '../../lib/errors.js';
import { addonError, addonPlaces, findAddon } from '../../lib/native-loader.js';
import { platform } from '../../lib/places.js';
import { typescript } from '../support/cli.js';

describe('the addon loader', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cortado-loader-'));
  const before = process.env.CORTADO_ADDON;

  afterEach(() => {
    if (before === undefined) delete process.env.CORTADO_ADDON;
    else process.env.CORTADO_ADDON = before;
  });
  after(() => {
    // Windows deletes no file that is loaded.
    if (process.platform !== 'win32') rmSync(folder, { recursive: true });
  });

  /** The error of a search that must fail with CORTADO_ADDON at `path`. */
  function failure(path: string): AddonError {
    process.env.CORTADO_ADDON = path;
    let caught: unknown;
    assert.throws(findAddon, (error) => {
      caught = error;
      return true;
    });
    assert.ok(caught instanceof AddonError);
    return caught;
  }

  it('finds the addon and says how', () => {
    const { addon, path, how } = findAddon();
    assert.equal(typeof (addon as { info: unknown }).info, 'function');
    assert.match(path, /cortado\.node$/);
    assert.notEqual(how, '');
  });

  it('takes the addon that CORTADO_ADDON names', () => {
    const copy = join(folder, 'copy.node');
    copyFileSync(findAddon().path, copy);
    process.env.CORTADO_ADDON = copy;
    assert.equal(findAddon().path, copy);
  });

  it('falls back to nothing else when CORTADO_ADDON names a file that is not there', () => {
    const path = join(folder, 'absent.node');
    const error = failure(path);
    assert.equal(error.code, 'ADDON_NOT_FOUND');
    assert.deepEqual(error.tried, [{ path, reason: 'no such file' }]);
    assert.equal(error.fix, 'unset CORTADO_ADDON');
    assert.ok(error.message.includes(path) && error.message.includes(error.fix));
  });

  it('tells why a file that is no addon does not load', () => {
    const path = join(folder, 'text.node');
    writeFileSync(path, 'not a library');
    const [attempt] = failure(path).tried;
    assert.equal(attempt?.path, path);
    assert.match(attempt.reason, /invalid ELF header|file too short|not a valid|slice is not valid/i);
  });

  it('names the exact command', () => {
    const tried = [{ path: '/nowhere/cortado.node', reason: 'no such file' }];
    delete process.env.CORTADO_ADDON;
    assert.equal(addonError(tried).fix, 'npm run build:native');
  });

  it('blames --no-addons where Node was told to load none', () => {
    const loader = new URL('../../lib/native-loader.ts', import.meta.url).href;
    const code = `import(${JSON.stringify(loader)}).then((m) => { try { m.findAddon(); } catch (e) { console.log(e.fix); } })`;
    const args = ['--no-addons', ...typescript, '-e', code];
    const run = spawnSync(process.execPath, args, { encoding: 'utf8' });
    assert.equal(run.stdout.trim(), 'start Node without --no-addons', run.stderr);
  });

  it('looks for this platform’s package first, then for a local build', () => {
    delete process.env.CORTADO_ADDON;
    assert.match(platform(), new RegExp(`^${process.platform}-${process.arch}(-musl)?$`));
    const [prebuilt, local] = addonPlaces();
    assert.equal(prebuilt?.name, `@cortado/${platform()}`);
    assert.match(local!.name, /build.Release.cortado\.node$/);
  });

  it('loads the addon in several worker threads and unloads it with them', async () => {
    const { path } = findAddon();
    const code = `const { parentPort, workerData } = require('node:worker_threads');
      parentPort.postMessage(require(workerData).info().isa);`;
    const isas = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const worker = new Worker(code, { eval: true, workerData: path });
        const [isa, exit] = await Promise.all([
          new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject)),
          new Promise((resolve) => worker.once('exit', resolve)),
        ]);
        assert.equal(exit, 0);
        return isa;
      }),
    );
    assert.equal(new Set(isas).size, 1);
  });
});
