import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compile, DeviceError } from '../../lib/index.js';
import { findAddon } from '../../lib/native-loader.js';
import { typescript } from '../support/cli.js';
import { tiny } from '../support/nets.js';

const lib = pathToFileURL(join(import.meta.dirname, '..', '..', 'lib', 'index.ts')).href;

/** The device of a model compiled in a process of its own: its name, or the error, and what was warned of. */
function deviceIn(env: NodeJS.ProcessEnv, device = 'auto'): { name?: string; problem?: string; warned: boolean } {
  const code = `
    import { compile, graph, input, relu } from ${JSON.stringify(lib)};
    const net = graph({ x: input([1]) }, ({ x }) => ({ y: relu(x) }));
    let warned = false;
    process.on('warning', () => (warned = true));
    const answer = await compile(net, { device: ${JSON.stringify(device)} }).then(
      (model) => ({ name: model.device.name }),
      ({ code, problem, fix }) => ({ code, problem, fix }),
    );
    setTimeout(() => console.log(JSON.stringify({ ...answer, warned })));`;
  const run = spawnSync(process.execPath, [...typescript, '--input-type=module', '-e', code], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  assert.equal(run.status, 0, run.stderr);
  return JSON.parse(run.stdout) as { name?: string; problem?: string; warned: boolean };
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

  it('names the library that is not built, and the command that builds it', () => {
    const { warned, ...answer } = deviceIn({ CORTADO_ADDON: addon }, 'cuda');
    assert.deepEqual(answer, { code: 'DEVICE', problem: 'not-built', fix: 'npm run build:cuda' });
    assert.equal(warned, false);
  });

  it('says of a library that does not load that it is broken', () => {
    const library = join(folder, 'cortado_cuda.so');
    writeFileSync(library, 'not a library');
    assert.equal(deviceIn({ CORTADO_ADDON: addon }, 'cuda').problem, 'broken');
    const { name, warned } = deviceIn({ CORTADO_ADDON: addon, CORTADO_DEVICE: '' });
    assert.deepEqual([name, warned], ['cpu', true], 'auto uses the CPU, but not in silence');
    rmSync(library);
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
