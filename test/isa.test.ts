/** The suites of ops, solvers and of Caffe's outputs, once for every other instruction set that this machine can run. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { info } from '../lib/native.js';
import { typescript } from './support/cli.js';

interface Report {
  readonly stats: { readonly passes: number; readonly failures: number; readonly pending: number };
  readonly failures: readonly { readonly fullTitle: string; readonly err: { readonly message?: string } }[];
}

const FOLDERS = ['ops', 'fixtures', 'solvers'];
const files = FOLDERS.map((folder) => join(import.meta.dirname, folder))
  .flatMap((folder) => readdirSync(folder).map((file) => join(folder, file)))
  .filter((file) => file.endsWith('.test.ts'));

/**
 * Tests of kernels whose text differs from those of `own`: avx512 is avx512bf16, which was tested with everything else, but
 * for products of fewer bits.
 */
const filesFor = (isa: string, own: string): readonly string[] =>
  isa === 'avx512' && own === 'avx512bf16' ? files.filter((file) => /bf16|int8|precision/.test(file)) : files;

/** Runs the files with mocha in a process whose kernels are those of `isa`. */
function suite(isa: string, files: readonly string[]): Report {
  const folder = mkdtempSync(join(tmpdir(), 'cortado-isa-'));
  try {
    const mocha = createRequire(import.meta.url).resolve('mocha/bin/mocha.js');
    const output = join(folder, 'report.json');
    const options = [
      '--no-config',
      '--timeout',
      '120000',
      '--reporter',
      'json',
      '--reporter-option',
      `output=${output}`,
    ];
    const run = spawnSync(process.execPath, [...typescript, mocha, ...options, ...files], {
      encoding: 'utf8',
      // The shapes are the same text's for every set: fewer of them, drawn at random, suffice to see its instructions.
      env: { CORTADO_CASES: '5', ...process.env, CORTADO_ISA: isa },
    });
    assert.ok(existsSync(output), `${isa}: the tests ended with ${run.status ?? run.signal}: ${run.stderr}`);
    return JSON.parse(readFileSync(output, 'utf8')) as Report;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('instruction sets', function () {
  this.timeout(600_000);
  const { isa: own, isas } = info();

  it('end with the one that every machine can run', () => {
    assert.equal(isas.at(-1), 'portable');
    assert.ok(isas.includes(own));
  });

  for (const isa of isas.filter((each) => each !== own)) {
    it(`${isa} gives the same answers`, function () {
      const { stats, failures } = suite(isa, filesFor(isa, own));
      const told = failures.slice(0, 5).map(({ fullTitle, err }) => `${fullTitle}: ${err.message ?? ''}`);
      assert.equal(stats.failures, 0, `${stats.failures} failed on ${isa}:\n${told.join('\n')}`);
      assert.ok(stats.passes > 0);
    });
  }

  it('that this machine lacks are refused by name', () => {
    const run = spawnSync(
      process.execPath,
      [
        ...typescript,
        '--input-type=module',
        '--eval',
        `import { info } from ${JSON.stringify(join(import.meta.dirname, '../lib/native.ts'))}; try { info(); } catch (error) { console.log(error.code, error.message); }`,
      ],
      { encoding: 'utf8', env: { ...process.env, CORTADO_ISA: 'abacus' } },
    );
    assert.match(run.stdout, /^DEVICE CORTADO_ISA: expected one of .*portable.*, got abacus/);
  });
});
