import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { addonPath } from '../../lib/native.js';
import { typescript } from '../support/cli.js';
import { pythonHas } from '../support/python.js';

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
  readonly nets: readonly { readonly who: string }[];
  readonly skipped: readonly string[];
}

const LEAST = ['--device', 'cuda-sim', '--batch', '1', '--seconds', '0', '--size', '32', '--parameters', '999'];

/** Compiles for longer than there is, but for one of its cases. */
const PEERS = `
import argparse, json, re, time
parser = argparse.ArgumentParser()
for name in ("--threads", "--seconds", "--case"):
    parser.add_argument(name)
args = parser.parse_args()
for name in ("eager", "compile", "compile+channels_last"):
    if re.search(args.case, f"torch-1.0-cpu:{name}/bvlc/infer/b1"):
        time.sleep(600 if name == "compile" else 0)
        print(json.dumps({"peer": f"torch-1.0-cpu:{name}", "case": "bvlc/infer", "batch": 1, "ms": 2,
                          "images_per_s": 500, "repeats": 10}), flush=True)
`;

describe('npm run bench:gpu', function () {
  this.timeout(600_000);
  let folder: string;
  beforeEach(function () {
    if (!existsSync(join(dirname(addonPath()), 'cortado_cuda_sim.so'))) return this.skip();
    folder = mkdtempSync(join(tmpdir(), 'cortado-bench-'));
  });
  afterEach(() => folder && rmSync(folder, { recursive: true }));

  /** The report of a run with these options, as the file says it. */
  function bench(options: readonly string[], env: NodeJS.ProcessEnv = {}): Report {
    const script = join(import.meta.dirname, '..', '..', 'bench', 'gpu.ts');
    const args = [...typescript, script, '--out', folder, ...LEAST, ...options];
    const run = spawnSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, ...env } });
    assert.equal(run.status, 0, run.stderr);
    return JSON.parse(readFileSync(join(folder, 'gpu.json'), 'utf8')) as Report;
  }

  it('writes a report of what it was asked for, on the simulated GPU', () => {
    const report = bench(['--filter', 'float32/kernel/(prob/|prod/|update)']);
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
  });

  it('has peers that compile in time, names the others, and still times kernels', function () {
    if (!pythonHas('json')) return this.skip();
    const script = join(folder, 'peers.py');
    writeFileSync(script, PEERS);
    const filter = 'float32/kernel/prob/|peers/(eager|compile(.channels_last)?)/bvlc/infer/b1$';
    const report = bench(['--filter', filter, '--minutes', '0.5'], { CORTADO_PEERS: script });
    assert.deepEqual(
      report.nets.map(({ who }) => who),
      ['torch-1.0-cpu:eager', 'torch-1.0-cpu:compile+channels_last'],
    );
    assert.deepEqual(report.skipped, ['peers/compile/bvlc/infer/b1: not compiled in time']);
    assert.equal(report.kernels.length, 2);
    assert.equal(report.finished, true);
  });
});
