/** A GPU at length: thousands of steps, the same bits, memory that stays. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { compile, sgd, type Model } from '../../lib/index.js';
import { addonPath } from '../../lib/native.js';
import { simulated } from '../support/device.js';
import { labels, noise, tiny } from '../support/nets.js';

const device = process.env.CORTADO_DEVICE ?? 'cpu';
const probe = join(dirname(addonPath()), 'cortado_cuda_probe');
/** A simulated GPU shows that the test holds, a real one that it does. */
const STEPS = simulated ? 100 : 10_000;

async function digest(model: Model): Promise<string> {
  const hash = createHash('sha256');
  for (const { data } of Object.values(await model.weights())) hash.update(data);
  return hash.digest('hex');
}

/** Bytes that are free on the GPU, as another process sees it. */
function free(): number {
  const { stdout } = spawnSync(probe, { encoding: 'utf8' });
  const { devices } = JSON.parse(stdout) as { devices: readonly { free: number }[] };
  return devices[0]!.free;
}

describe('a GPU at length', function () {
  this.timeout(1_200_000);
  before(function () {
    if (!device.startsWith('cuda')) this.skip();
  });

  it('trains to the same bits twice', async () => {
    const run = async (): Promise<string> => {
      await using model = await compile(tiny(), {
        device,
        batch: 8,
        seed: 3,
        solver: sgd({ rate: 0.1, momentum: 0.9 }),
      });
      for (let i = 0; i < 50; i++) await model.step({ data: noise([8, 3, 8, 8], i), label: labels(8, 5, i) });
      return await digest(model);
    };
    assert.equal(await run(), await run());
  });

  it(`takes no more memory over ${STEPS} steps`, async () => {
    const watched = !simulated && existsSync(probe);
    await using model = await compile(tiny(), { device, batch: 8, solver: sgd({ rate: 0.01, momentum: 0.9 }) });
    const inputs = { data: noise([8, 3, 8, 8]), label: labels(8, 5) };
    const steps = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await model.step(inputs);
    };
    await steps(STEPS / 10);
    const [used, host, there] = [model.memoryUsage(), process.memoryUsage.rss(), watched ? free() : 0];
    await steps(STEPS);
    assert.deepEqual(model.memoryUsage(), used);
    const grown = process.memoryUsage.rss() - host;
    // A hundred bytes a step would be a megabyte; V8's own heap comes and goes by tens.
    assert.ok(grown < 64 << 20, `${(grown / 2 ** 20).toFixed(1)} MB more on the host`);
    if (watched) assert.ok(there - free() < 16 << 20, `${there} → ${free()} bytes free on the GPU`);
  });
});
