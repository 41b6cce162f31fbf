/** What a real GPU does when its memory ends or it is lost, and how long it keeps the event loop waiting. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { alexnet, compile, dense, graph, input, sgd } from '../../lib/index.js';
import { typescript } from '../support/cli.js';
import { simulated } from '../support/device.js';
import { labels, noise } from '../support/nets.js';

const device = process.env.CORTADO_DEVICE ?? 'cpu';
const lib = pathToFileURL(join(import.meta.dirname, '..', '..', 'lib', 'index.ts')).href;
const nvcc = process.env.CUDACXX ?? '/usr/local/cuda/bin/nvcc';

/** An addon that writes to the GPU's memory where there is none when it is loaded: what no kernel of ours does. */
const STRAY = `
  #include <stdio.h>
  __global__ void stray(int* p) { *p = 1; }
  extern "C" __attribute__((visibility("default"))) void* napi_register_module_v1(void*, void*) {
    stray<<<1, 1>>>(reinterpret_cast<int*>(16));
    printf("%s\\n", cudaGetErrorName(cudaDeviceSynchronize()));
    fflush(stdout);
    return nullptr;
  }`;

describe('a real GPU', function () {
  this.timeout(300_000);
  before(function () {
    if (!device.startsWith('cuda') || simulated) this.skip();
  });

  it('leaves a model usable when its memory does not do for a batch', async () => {
    // 256 GiB behind four megabytes of inputs.
    const batch = 1 << 20;
    const net = graph({ x: input([1]) }, ({ x }) => ({ y: dense(x, { name: 'ip', units: 1 << 16 }) }));
    await using model = await compile(net, { device, batch });
    await assert.rejects(model.forward({ x: new Float32Array(batch) }), { code: 'OUT_OF_MEMORY' });
    const { y } = await model.forward({ x: Float32Array.of(1, 2) });
    assert.deepEqual(y.shape, [2, 1 << 16]);
    assert.equal(y.data[1 << 16], 2 * y.data[0]!);
  });

  it('says that it is lost, and ends no process', function () {
    if (!existsSync(nvcc)) {
      console.log(`    (no ${nvcc} to compile a stray kernel: set CUDACXX)`);
      return this.skip();
    }
    const folder = mkdtempSync(join(tmpdir(), 'cortado-stray-'));
    try {
      const [source, stray] = [join(folder, 'stray.cu'), join(folder, 'stray.node')];
      writeFileSync(source, STRAY);
      execFileSync(nvcc, ['-shared', '-Xcompiler=-fPIC', '-arch=native', '-o', stray, source]);
      const code = `
        import { compile, dense, graph, input } from ${JSON.stringify(lib)};
        const net = graph({ x: input([3]) }, ({ x }) => ({ y: dense(x, { name: 'ip', units: 2 }) }));
        const model = await compile(net, { device: ${JSON.stringify(device)} });
        const x = Float32Array.of(1, 2, 3);
        await model.forward({ x });
        process.dlopen({ exports: {} }, ${JSON.stringify(stray)});
        const say = (e) => console.log(e.code + ' ' + e.message);
        await model.forward({ x }).catch(say);
        await compile(net, { device: ${JSON.stringify(device)} }).then((m) => m.forward({ x })).catch(say);
        model.dispose();
        console.log('still here');`;
      const run = spawnSync(process.execPath, [...typescript, '--input-type=module', '-e', code], { encoding: 'utf8' });
      assert.equal(run.status, 0, `${run.signal} ${run.stderr}`);
      const lines = run.stdout.trim().split('\n');
      assert.equal(lines.length, 4, run.stdout);
      assert.equal(lines[0], 'cudaErrorIllegalAddress');
      for (const line of lines.slice(1, 3)) assert.match(line, /^DEVICE .*the GPU is lost to this process/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('keeps the event loop waiting for less than 5 ms while it trains', async () => {
    const batch = 128;
    await using model = await compile(alexnet(), { device, batch, solver: sgd({ rate: 1e-4, momentum: 0.9 }) });
    const inputs = { data: noise([batch, 3, 227, 227]), label: labels(batch, 10) };
    for (let i = 0; i < 3; i++) await model.step(inputs);
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    for (let i = 0; i < 20; i++) await model.step(inputs);
    delay.disable();
    // Of which the timer's own millisecond is a part. A collection of garbage now and then is not ours.
    const longest = delay.percentile(99) / 1e6;
    assert.ok(longest < 5, `${longest.toFixed(1)} ms`);
  });
});
