import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gpusOffered } from '../../lib/device-library.js';
import { compile, DeviceError } from '../../lib/index.js';
import { isOpenLibrary } from '../../lib/native.js';
import { findAddon } from '../../lib/native-loader.js';
import { typescript } from '../support/cli.js';
import { tiny } from '../support/nets.js';
import { sanitized } from '../support/sanitizer.js';

const lib = pathToFileURL(join(import.meta.dirname, '..', '..', 'lib', 'index.ts')).href;

interface Answer {
  readonly name?: string;
  readonly problem?: string;
  readonly message?: string;
  readonly warned: boolean;
}

/** The device of a model compiled in a process of its own: its name, or the error, and what was warned of. */
function deviceIn(env: NodeJS.ProcessEnv, device = 'auto'): Answer {
  const code = `
    import { compile, graph, input, relu } from ${JSON.stringify(lib)};
    const net = graph({ x: input([1]) }, ({ x }) => ({ y: relu(x) }));
    let warned = false;
    process.on('warning', () => (warned = true));
    const answer = await compile(net, { device: ${JSON.stringify(device)} }).then(
      (model) => ({ name: model.device.name }),
      ({ code, problem, fix, message }) => ({ code, problem, fix, message }),
    );
    setTimeout(() => console.log(JSON.stringify({ ...answer, warned })));`;
  const run = spawnSync(process.execPath, [...typescript, '--input-type=module', '-e', code], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  assert.equal(run.status, 0, run.stderr);
  return JSON.parse(run.stdout) as Answer;
}

describe('devices', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cortado-device-'));
  const addon = join(folder, 'cortado.node');
  before(() => copyFileSync(findAddon().path, addon));
  after(() => rmSync(folder, { recursive: true }));

  for (const device of ['gpu', 'cuda:', 'cuda:-1', 'cuda:1.5', 'CPU']) {
    it(`refuses ${device}, naming those there are`, async () => {
      await assert.rejects(compile(tiny(), { device }), (error: DeviceError) => {
        assert.ok(error instanceof DeviceError);
        assert.deepEqual([error.code, error.problem, error.tried], ['DEVICE', 'unknown', device]);
        assert.match(error.message, /expected auto, cpu, cuda/);
        return true;
      });
    });
  }

  it('are the CPU alone where no others are offered', async function () {
    if (gpusOffered) this.skip();
    const refused = { problem: 'not-built', message: /offered on Linux only/ };
    for (const device of ['cuda', 'cuda-sim']) await assert.rejects(compile(tiny(), { device }), refused);
    await using model = await compile(tiny());
    assert.equal(model.device.name, 'cpu');
  });

  it('names the library that is not built, and the command that builds it', function () {
    if (!gpusOffered) this.skip();
    const { warned, message, ...answer } = deviceIn({ CORTADO_ADDON: addon }, 'cuda');
    assert.ok(message?.includes(join(folder, 'cortado_cuda.so')), message);
    assert.deepEqual(answer, { code: 'DEVICE', problem: 'not-built', fix: 'npm run build:cuda' });
    assert.equal(warned, false);
  });

  it('says of a library that does not load that it is broken', function () {
    if (!gpusOffered) this.skip();
    const library = join(folder, 'cortado_cuda.so');
    writeFileSync(library, 'not a library');
    assert.equal(deviceIn({ CORTADO_ADDON: addon }, 'cuda').problem, 'broken');
    const { name, warned } = deviceIn({ CORTADO_ADDON: addon, CORTADO_DEVICE: '' });
    assert.deepEqual([name, warned], ['cpu', true], 'auto uses the CPU, but not in silence');
    rmSync(library);
  });

  describe('whose driver is bad', () => {
    const [library, probe] = ['cortado_cuda.so', 'cortado_cuda_probe'].map((name) => join(folder, name)) as [
      string,
      string,
    ];
    /** A library that must not be opened here, and the program that opens it elsewhere. */
    const answering = (script: string): void => {
      writeFileSync(library, 'not a library');
      writeFileSync(probe, `#!/bin/sh\n${script}\n`);
      chmodSync(probe, 0o755);
    };
    before(function () {
      // What is loaded before a sanitized addon goes with the shell of the probe, which does not bear it.
      if (!gpusOffered || sanitized) this.skip();
    });
    after(() => [library, probe].forEach((path) => rmSync(path, { force: true })));

    it('is opened in another process first, which it may end', () => {
      answering('kill -SEGV $$');
      const { problem, message } = deviceIn({ CORTADO_ADDON: addon }, 'cuda');
      assert.equal(problem, 'broken');
      assert.match(message!, /in a process of its own failed: SIGSEGV/);
    });

    it('is told of in CUDA’s own words', () => {
      const error = { call: 'kernel launch', code: 209, name: 'cudaErrorNoKernelImageForDevice', text: 'no image' };
      const answer = { driver: 13010, runtime: 13000, count: 1, error: null, devices: [{ index: 0, error }] };
      answering(`[ "$*" = 0 ] && echo '${JSON.stringify(answer)}'`);
      const { problem, message } = deviceIn({ CORTADO_ADDON: addon }, 'cuda');
      assert.equal(problem, 'refused');
      assert.match(message!, /kernel launch answered 209/);
    });

    it('asks for the GPU that was named', () => {
      const answer = { driver: 13010, runtime: 13000, count: 2, error: null, devices: [] };
      answering(`[ "$*" = 7 ] && echo '${JSON.stringify(answer)}'`);
      const { problem, message } = deviceIn({ CORTADO_ADDON: addon }, 'cuda:7');
      assert.equal(problem, 'no-such-index');
      assert.match(message!, /cuda:0 to cuda:1/);
    });
  });

  it('knows which libraries this process has opened', function () {
    if (!gpusOffered) this.skip();
    assert.equal(isOpenLibrary(findAddon().path), true);
    assert.equal(isOpenLibrary(join(folder, 'absent.so')), false);
  });

  it('takes the CPU in silence where there is nothing else, and what CORTADO_DEVICE names', function () {
    if (existsSync('/sys/module/nvidia')) this.skip();
    assert.deepEqual(deviceIn({ CORTADO_ADDON: addon, CORTADO_DEVICE: '' }), { name: 'cpu', warned: false });
    assert.equal(deviceIn({ CORTADO_ADDON: addon, CORTADO_DEVICE: 'cpu' }).name, 'cpu');
    assert.equal(deviceIn({ CORTADO_ADDON: addon, CORTADO_DEVICE: 'gpu' }).problem, 'unknown');
  });

  it('says why a GPU of the backend that is built here cannot be had', function () {
    const built = join(dirname(findAddon().path), 'cortado_cuda.so');
    if (!existsSync(built) || existsSync('/sys/module/nvidia')) this.skip();
    assert.match(deviceIn({}, 'cuda').problem!, /^(no-driver|no-device)$/);
  });

  it('opens a device once, and shares it with what shares its weights', async () => {
    await using first = await compile(tiny(), { device: 'cpu' });
    await using second = await compile(tiny(), { weightsOf: first });
    assert.equal(second.device, first.device);
    await assert.rejects(compile(tiny(), { weightsOf: first, device: 'cuda-sim' }), { name: /DeviceError|UsageError/ });
  });
});
