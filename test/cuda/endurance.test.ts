/** A GPU at length: nets of random shapes beside the CPU, thousands of steps, the same bits, memory that stays. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  averagePool,
  compile,
  conv2d,
  dense,
  graph,
  input,
  lrn,
  maxPool,
  Random,
  sgd,
  softmaxLoss,
  tanh,
  type Graph,
  type Model,
} from '../../lib/index.js';
import { addonPath } from '../../lib/native.js';
import { assertClose } from '../support/compare.js';
import { simulated } from '../support/device.js';
import { labels, noise, tiny } from '../support/nets.js';

const device = process.env.CORTADO_DEVICE ?? 'cpu';
const probe = join(dirname(addonPath()), 'cortado_cuda_probe');
/** A simulated GPU shows that the tests hold, a real one that it does. */
const SHAPES = simulated ? 8 : 1000;
const STEPS = simulated ? 100 : 10_000;
const CLASSES = 7;

/** A net of random extents: pooling of the input, a convolution, one of LRN, pooling or neither, a dense layer, a loss. */
function randomNet(random: Random): { net: Graph<'data' | 'label', 'loss'>; batch: number; shape: number[] } {
  const from = (least: number, most: number): number => least + random.below(most - least + 1);
  const groups = from(1, 3);
  const [channels, filters] = [groups * from(1, 12), groups * from(1, 24)];
  const shape = [channels, from(9, 40), from(9, 40)];
  const [kernel, stride, pad] = [from(1, 5), from(1, 3), from(0, 2)];
  const kind = random.below(3);
  const net = graph({ data: input(shape), label: input([]) }, ({ data, label }) => {
    // Before anything is rounded: where two are all but equal, devices may choose differently.
    const first = random.below(2) === 0 ? data : maxPool(data, { kernel: 3, stride: 2 });
    const x = tanh(conv2d(first, { name: 'conv', filters, kernel: Math.min(kernel, 3), stride, pad, groups }));
    const y = kind === 0 ? lrn(x, { localSize: 3 }) : kind === 1 ? averagePool(x, { kernel: 2, stride: 2, pad: 1 }) : x;
    return { loss: softmaxLoss(dense(y, { name: 'fc', units: CLASSES }), label) };
  });
  return { net, batch: from(1, 9), shape };
}

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

  it(`computes ${SHAPES} nets of random shapes as the CPU does`, async () => {
    const random = new Random(20);
    for (let i = 0; i < SHAPES; i++) {
      const { net, batch, shape } = randomNet(random);
      const inputs = { data: noise([batch, ...shape], i), label: labels(batch, CLASSES, i) };
      const of = ['conv.weight', 'conv.bias', 'fc.weight', 'data'] as const;
      const [there, here] = await Promise.all(
        [device, 'cpu'].map(async (name) => {
          await using model = await compile(net, { device: name, batch, seed: i + 1 });
          return (await model.backward(inputs, { of })).gradients;
        }),
      );
      for (const name of of) assertClose(there![name]!.data, here![name]!.data, `net ${i}, ${name}`, 1e-4);
    }
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
