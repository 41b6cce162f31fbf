import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { totalmem, tmpdir } from 'node:os';
import { join } from 'node:path';
import { cli } from '../support/cli.js';
import { compiled, script } from '../support/scripts.js';

interface Finding {
  readonly name: string;
  readonly state: string;
  readonly found: string;
  readonly looked: readonly string[];
  readonly fix?: string;
}

interface Report {
  readonly ok: boolean;
  readonly node: { readonly version: string };
  readonly nodeApi: { readonly version: number; readonly needed: number };
  readonly addon: { readonly path: string | null; readonly tried: readonly { path: string; reason: string }[] };
  readonly cpu: { readonly isa?: string; readonly isas?: readonly string[]; readonly threads?: number };
  readonly memory: { readonly total: number; readonly limit: number | null };
  readonly findings: readonly Finding[];
  readonly gpu: {
    readonly usable: boolean;
    readonly findings: readonly Finding[];
    readonly devices: readonly unknown[];
  };
}

/** The findings that need attention have a place where they were looked for. */
function checkFindings(findings: readonly Finding[]): void {
  for (const { name, state, found } of findings) {
    assert.match(state, /^(ok|missing|broken)$/, name);
    assert.notEqual(found, '', name);
  }
}

describe('cortado doctor', () => {
  it('reports the machine as JSON and nothing else on standard output', () => {
    const { code, stdout } = cli(['doctor', '--json']);
    const report = JSON.parse(stdout) as Report;
    assert.equal(code, 0);
    assert.equal(report.ok, true);
    assert.equal(report.node.version, process.versions.node);
    assert.ok(report.nodeApi.version >= report.nodeApi.needed);
    assert.ok(report.cpu.isas?.includes(report.cpu.isa ?? ''));
    assert.ok((report.cpu.threads ?? 0) >= 1);
    assert.equal(report.memory.total, totalmem());
    checkFindings([...report.findings, ...report.gpu.findings]);
    for (const name of ['NVIDIA driver', 'CUDA runtime', 'cuDNN 9', 'cuBLASLt', 'CUDA backend', 'GPUs']) {
      assert.ok(
        report.gpu.findings.some((finding) => finding.name === name),
        name,
      );
    }
  });

  it('follows CORTADO_ISA and CORTADO_THREADS', () => {
    const { stdout } = cli(['doctor', '--json'], { CORTADO_ISA: 'portable', CORTADO_THREADS: '3' });
    const { cpu } = JSON.parse(stdout) as Report;
    assert.equal(cpu.isa, 'portable');
    assert.equal(cpu.threads, 3);
  });

  it('prints a table for people', () => {
    const { code, stdout } = cli(['doctor']);
    assert.equal(code, 0);
    for (const word of ['Node-API', 'Addon', 'Instructions', 'Threads', 'Memory', 'GPU', 'cuDNN 9']) {
      assert.ok(stdout.includes(word), word);
    }
  });

  it('fails with the way out when the addon is missing', () => {
    const { code, stdout } = cli(['doctor', '--json'], { CORTADO_ADDON: '/nowhere/cortado.node' });
    const report = JSON.parse(stdout) as Report;
    assert.equal(code, 1);
    assert.equal(report.ok, false);
    assert.deepEqual(report.addon.tried, [{ path: '/nowhere/cortado.node', reason: 'no such file' }]);
    const finding = report.findings.find(({ name }) => name === 'Addon');
    assert.equal(finding?.state, 'missing');
    assert.equal(finding.fix, 'unset CORTADO_ADDON');
  });

  describe('with broken parts', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cortado-doctor-'));
    after(() => rmSync(folder, { recursive: true }));

    it('survives an addon that ends its process, and says so', () => {
      const addon = join(folder, 'kill.js');
      writeFileSync(addon, 'process.kill(process.pid, "SIGKILL")');
      const { code, stdout } = cli(['doctor', '--json'], { CORTADO_ADDON: addon });
      const report = JSON.parse(stdout) as Report;
      assert.equal(code, 1);
      assert.deepEqual(report.addon.tried, [{ path: addon, reason: 'SIGKILL' }]);
    });

    it('names a library that is there and does not load', () => {
      writeFileSync(join(folder, 'libcudnn.so.9'), 'not a library');
      const { code, stdout } = cli(['doctor', '--json'], { CUDNN_ROOT: folder });
      const finding = (JSON.parse(stdout) as Report).gpu.findings.find(({ name }) => name === 'cuDNN 9');
      assert.equal(code, 0);
      if (process.platform === 'linux' && finding?.state !== 'ok') {
        assert.equal(finding?.state, 'broken');
        assert.match(finding.found, /libcudnn\.so\.9/);
        assert.match(finding.fix ?? '', /cudnn/);
      }
    });

    it('tells the versions of what computes on a GPU, and those that are needed', function () {
      if (process.platform !== 'linux') this.skip();
      const addon = join(folder, 'versions.js');
      const [cudnn, cublaslt] = ['/nv/libcudnn.so.9', '/nv/libcublasLt.so.11'];
      const libraries = [
        { name: 'cuDNN', path: cudnn, problem: '', version: 92400 },
        { name: 'cuBLASLt', path: cublaslt, problem: `${cublaslt} is version 110000, 120000 or newer is needed` },
      ];
      writeFileSync(
        addon,
        `exports.info = () => ({ isa: "x", isas: ["x"], threads: 1, physicalCores: 1 });
        exports.Device = class { libraries = ${JSON.stringify(libraries)} };`,
      );
      const built = { toolkit: 13000, architectures: '80-real', needed: { cuDNN: 90_000, cuBLASLt: 120_000 } };
      const device = { index: 0, name: 'Card', computeCapability: '9.0', error: null };
      const answer = { abi: 3, built, driver: 13010, runtime: 13000, count: 1, error: null, devices: [device] };
      writeFileSync(join(folder, 'cortado_cuda.so'), 'opened by the probe alone');
      writeFileSync(join(folder, 'cortado_cuda_probe'), `#!/bin/sh\necho '${JSON.stringify(answer)}'\n`);
      chmodSync(join(folder, 'cortado_cuda_probe'), 0o755);
      const { stdout } = cli(['doctor', '--json'], { CORTADO_ADDON: addon });
      const { gpu } = JSON.parse(stdout) as Report;
      const found = (name: string): string => gpu.findings.find((finding) => finding.name === name)!.found;
      assert.equal(gpu.usable, true);
      assert.equal(found('cuDNN 9'), `9.24.0 (9.0.0 or newer needed), ${cudnn}`);
      assert.match(found('cuBLASLt'), /libcublasLt\.so\.11 is version 110000, 120000 or newer is needed/);
      assert.match(found('CUDA runtime'), /^13\.0/);

      writeFileSync(
        addon,
        `exports.info = () => ({ isa: "x", isas: ["x"], threads: 1, physicalCores: 1 }); exports.Device = class { constructor() { throw new Error("no luck") } };`,
      );
      const broken = (JSON.parse(cli(['doctor', '--json'], { CORTADO_ADDON: addon }).stdout) as Report).gpu;
      const backend = broken.findings.find(({ name }) => name === 'CUDA backend')!;
      assert.equal(broken.usable, false);
      assert.equal(backend.state, 'broken');
      assert.match(backend.found, /opening GPU 0 ended a test process: exit code 1, Error: no luck$/);
    });

    it('passes on what the CUDA backend finds, and what mends it', function () {
      if (process.platform !== 'linux') this.skip();
      // An addon with a probe beside it that answers as one does on a GPU the backend was not built for.
      const addon = join(folder, 'cortado.js');
      writeFileSync(addon, 'exports.info = () => ({ isa: "x", isas: ["x"], threads: 1, physicalCores: 1 })');
      const error = { call: 'kernel launch', code: 209, name: 'cudaErrorNoKernelImageForDevice', text: 'no image' };
      const device = { index: 0, name: 'Card', computeCapability: '7.0', memory: 2 ** 34, error };
      const built = { toolkit: 13000, architectures: '80-real', needed: { cuDNN: 90_000, cuBLASLt: 120_000 } };
      const answer = { abi: 3, built, driver: 13010, runtime: 13000, count: 1, error: null, devices: [device] };
      writeFileSync(join(folder, 'cortado_cuda.so'), 'opened by the probe alone');
      const probe = join(folder, 'cortado_cuda_probe');
      writeFileSync(probe, `#!/bin/sh\necho '${JSON.stringify(answer)}'\n`);
      chmodSync(probe, 0o755);
      const { stdout } = cli(['doctor', '--json'], { CORTADO_ADDON: addon });
      const { gpu } = JSON.parse(stdout) as Report;
      const finding = gpu.findings.find(({ name }) => name === 'GPUs');
      assert.equal(gpu.usable, false);
      assert.equal(finding?.state, 'broken');
      assert.match(finding.found, /0: Card \(7\.0, 16\.0 GiB\) kernel launch answered 209/);
      assert.match(finding.fix ?? '', /^CORTADO_CUDA_ARCHITECTURES=70 /);
    });
  });
});

describe('the command line', () => {
  before(compiled);

  it('answers bad usage with code 2, one line on standard error and nothing on standard output', () => {
    for (const args of [['doctor', '--wrong'], ['nonsense'], ['doctor', 'superfluous']]) {
      const { code, stdout, stderr } = cli(args);
      assert.equal(code, 2, args.join(' '));
      assert.equal(stdout, '');
      assert.match(stderr, /^error: .*\n/);
    }
  });

  it('prints help and version on standard output with code 0', () => {
    assert.match(cli(['--version']).stdout, /^\d+\.\d+\.\d+\n$/);
    for (const args of [['--help'], ['help'], ['doctor', '--help']]) {
      const { code, stdout } = cli(args);
      assert.equal(code, 0, args.join(' '));
      assert.match(stdout, /Usage: cortado/);
    }
  });

  it('loads no command to tell of them all', () => {
    const { code, stdout } = script(`
      import { createRequire } from 'node:module';
      import { run } from './dist/cli/commands.js';
      const code = await run(['--help']);
      console.log('loaded: ' + Object.keys(createRequire(import.meta.url).cache).join());
      process.exitCode = code;
    `);
    assert.equal(code, 0);
    assert.match(stdout, /import-images .*\n[^]*serve .*\n[^]*loaded: .*commander/);
    assert.doesNotMatch(stdout, /node_modules.(@img|sharp|fastify|protobufjs)/);
  });
});
