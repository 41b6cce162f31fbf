import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { addonPath } from '../../lib/native.js';
import { typescript } from '../support/cli.js';

interface Report {
  readonly device: string;
  readonly finished: boolean;
  readonly ceilings: readonly { readonly precision: string; readonly gflops: number; readonly gbps: number }[];
  readonly kernels: readonly {
    readonly layer: string;
    readonly kernel: string;
    readonly precision: string;
    readonly ms: number;
    readonly gbps: number;
    readonly share: number;
  }[];
  readonly skipped: readonly string[];
}

describe('npm run bench:gpu', function () {
  this.timeout(600_000);

  it('writes a report of what it was asked for, on the simulated GPU', function () {
    if (!existsSync(join(dirname(addonPath()), 'cortado_cuda_sim.so'))) return this.skip();
    const folder = mkdtempSync(join(tmpdir(), 'cortado-bench-'));
    try {
      const settings = [
        '--device',
        'cuda-sim',
        '--out',
        folder,
        '--batch',
        '1',
        '--seconds',
        '0',
        '--size',
        '32',
        '--parameters',
        '999',
      ];
      const script = join(import.meta.dirname, '..', '..', 'bench', 'gpu.ts');
      const run = spawnSync(
        process.execPath,
        [...typescript, script, ...settings, '--filter', 'float32/kernel/(prob/|prod/|update)'],
        {
          encoding: 'utf8',
        },
      );
      assert.equal(run.status, 0, run.stderr);
      const report = JSON.parse(readFileSync(join(folder, 'gpu.json'), 'utf8')) as Report;
      assert.equal(report.device, 'cuda-sim');
      assert.deepEqual(
        report.ceilings.map(({ precision }) => precision),
        ['bfloat16', 'float32', 'tf32', 'float16'],
      );
      for (const { gflops, gbps } of report.ceilings) assert.ok(gflops > 0 && gbps > 0);
      assert.deepEqual(
        report.kernels.map(({ layer, kernel, precision }) => `${layer} ${kernel} ${precision}`),
        ['prob forward', 'prob grad', 'prod prod', 'prod prod_grad', 'update sgd'].map((row) => `${row} float32`),
      );
      for (const { kernel, ms, gbps, share } of report.kernels)
        assert.ok(
          [ms, gbps, share].every((number) => number > 0 && Number.isFinite(number)),
          kernel,
        );
      assert.doesNotMatch(readFileSync(join(folder, 'gpu.txt'), 'utf8'), /NaN|Infinity/);
      assert.match(readFileSync(join(folder, 'gpu.txt'), 'utf8'), /ceiling in tf32: .* TFLOP\/s/);
      assert.deepEqual(report.skipped, []);
      assert.equal(report.finished, true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
