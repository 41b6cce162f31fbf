import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nvcc } from '../../lib/cli/toolchain.js';
import { cli } from '../support/cli.js';

/** Failed builds only: a build that works belongs to the installation. */
describe('cortado build', function () {
  const folder = mkdtempSync(join(tmpdir(), 'cortado-build-'));
  before(function () {
    if (process.platform === 'win32') this.skip();
  });
  after(() => rmSync(folder, { recursive: true }));

  /** A failed build: the lines it printed, of which there may be ten. */
  function failed(args: readonly string[], env: NodeJS.ProcessEnv): string {
    const { code, stdout, stderr } = cli(['build', ...args], { CXX: undefined, MAKE: undefined, ...env });
    assert.equal(code, 1, stderr);
    assert.equal(stdout, '');
    const lines = stderr.trim().split('\n');
    assert.ok(lines.length <= 11, `${lines.length} lines`); // one says that the build began
    return stderr;
  }

  it('says what it looked for, where, and what to install', () => {
    const text = failed([], { PATH: folder, PYTHON: undefined, npm_config_python: undefined });
    for (const thing of ['C++20 compiler', 'make', 'Python'])
      assert.match(text, new RegExp(`${thing.replaceAll('+', '\\+')}.*not found`));
    assert.match(text, /\$CXX/);
    assert.equal(text.match(/install: /g)?.length, 3);
  });

  it('tells an old compiler from none', () => {
    // Its standard input is closed before it is read, as by a compiler that stops at its flags.
    const compiler = join(folder, 'old-c++');
    writeFileSync(
      compiler,
      '#!/bin/sh\nexec <&-\necho "error: unrecognized command-line option -std=c++20" >&2\nexit 1\n',
      {
        mode: 0o755,
      },
    );
    assert.match(failed([], { CXX: compiler }), /old-c\+\+: error: unrecognized command-line option/);
  });

  it('takes the CUDA compiler that the environment names before any other', () => {
    const compiler = join(folder, 'nvcc');
    writeFileSync(compiler, '');
    const before = process.env.CUDACXX;
    try {
      process.env.CUDACXX = compiler;
      assert.equal(nvcc().found, compiler);
    } finally {
      if (before === undefined) delete process.env.CUDACXX;
      else process.env.CUDACXX = before;
    }
  });

  it('refuses sanitizers that it does not know', () => {
    const { code, stderr } = cli(['build'], { CORTADO_SANITIZE: 'memory' });
    assert.equal(code, 2);
    assert.match(stderr, /expected 'address,undefined' or 'thread', got 'memory'/);
  });
});
